#include "daemon/cli/pages.hpp"

namespace quorumd::cli {

void set_prefix(std::string& key, std::string& range_end, std::string_view prefix) {
  key = prefix.empty() ? std::string(1, '\0') : std::string(prefix);
  range_end = kv::prefix_end(prefix);
}

client::call_error unexpected_answer(const session& s) {
  return {wire::request_errc::internal, s.client.endpoint(), "the server answered another question"};
}

coro::task<boost::system::result<std::vector<client::status_row>, client::call_error>> ask_members(session* s) {
  client::client_body body = client::status_request{.all = true};
  const coro::time_point deadline = s->deadline();
  client::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return answer.error();
  auto* const found = std::get_if<client::status_reply>(&answer->reply.body);
  if (found == nullptr) co_return unexpected_answer(*s);
  co_return std::move(found->rows);
}

/// Once the first page is there, endpoints that cannot be reached may come back until the deadline.
coro::task<client::call_result> range_pages::ask(client::client_body body, coro::time_point deadline) {
  constexpr std::chrono::milliseconds pause{50};
  for (;;) {
    client::call_result answer = co_await session_.client.call(body, deadline);
    const bool nobody = answer.has_error() && answer.error().code() == wire::request_errc::none;
    if (!nobody || !begun_ || session_.loop.now() + pause >= deadline) co_return answer;
    co_await session_.loop.timers().sleep_for(pause);
  }
}

/// That pages come and go: of a pipe whose reader takes its time, for example.
constexpr std::chrono::seconds page_patience{30};

coro::task<client::call_result> range_pages::next() {
  kv::range_request r;
  r.key = what_.key;
  r.range_end = what_.range_end;
  r.revision = what_.revision;
  r.limit = what_.limit;
  r.keys_only = what_.keys_only;
  r.skip_count = !what_.count;
  client::client_body body =
      client::range_read{.request = r, .serializable = what_.serializable, .max_age = what_.max_age, .keep = {}};
  // One page needs no more of the node; who asks for a second one comes back.
  if (what_.keep || begun_) std::get<client::range_read>(body).keep = page_patience;
  const coro::time_point deadline = session_.deadline();
  client::call_result answer = co_await ask(body, deadline);
  done_ = true;
  if (answer.has_error()) co_return answer;
  const auto* page = body_of<kv::range_reply>(answer);
  if (page == nullptr) co_return unexpected_answer(session_);
  if (!what_.revision) what_.revision = page->revision;
  begun_ = true;
  if (what_.count) {
    count_ = page->count;
    what_.count = false;
  }
  if (!page->more || page->kvs.empty() || what_.range_end.empty()) co_return answer;
  if (what_.limit != 0) {
    if (page->kvs.size() >= what_.limit) co_return answer;
    what_.limit -= page->kvs.size();
  }
  done_ = false;
  what_.key = std::string(page->kvs.back().key) + '\0';
  co_return answer;
}

} // namespace quorumd::cli
