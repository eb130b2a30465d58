#include "daemon/cli/pages.hpp"

namespace quorumd::cli {

void set_prefix(std::string& key, std::string& range_end, std::string_view prefix) {
  key = prefix.empty() ? std::string(1, '\0') : std::string(prefix);
  range_end = kv::prefix_end(prefix);
}

wire::call_error unexpected_answer(const session& s) {
  return {wire::request_errc::internal, s.client.endpoint(), "the server answered another question"};
}

coro::task<wire::call_result> range_pages::next() {
  kv::range_request r;
  r.key = what_.key;
  r.range_end = what_.range_end;
  r.revision = what_.revision;
  r.limit = what_.limit;
  r.keys_only = what_.keys_only;
  r.skip_count = !what_.count;
  wire::client_body body = wire::range_read{.request = r, .serializable = what_.serializable};
  const coro::time_point deadline = session_.deadline();
  wire::call_result answer = co_await session_.client.call(std::move(body), deadline);
  done_ = true;
  if (answer.has_error()) co_return answer;
  const auto* page = body_of<kv::range_reply>(answer);
  if (page == nullptr) co_return unexpected_answer(session_);
  if (!what_.revision) what_.revision = page->revision;
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
