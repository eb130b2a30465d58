// etcd's API in JSON: the messages do not depend on how the bytes fall, and any message of an answer becomes JSON.
#include "consensus/types/invariant.hpp"
#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/json.hpp"
#include "tests/fuzz/input.hpp"

#include <array>
#include <string>
#include <string_view>

using namespace quorumd;
using namespace quorumd::clients::etcd;

namespace {

constexpr std::array calls{method::range,
                           method::put,
                           method::delete_range,
                           method::txn,
                           method::compact,
                           method::watch,
                           method::alarm,
                           method::lease_grant,
                           method::lock,
                           method::campaign,
                           method::lease_keep_alive,
                           method::observe,
                           method::member_update,
                           method::snapshot};

struct outcome {
  bool good = true;
  std::string messages{};
};

outcome take(method what, std::string_view text, std::size_t piece) {
  json_call call(what);
  outcome o;
  for (std::size_t at = 0; o.good && at < text.size(); at += piece)
    o.good = call.take(std::as_bytes(std::span(text.substr(at, piece))), o.messages);
  o.good = o.good && call.finish(o.messages);
  QUORUMD_INVARIANT(o.good == call.wrong().empty(), "what is refused says why");
  QUORUMD_INVARIANT(call.bytes() <= text.size(), "nothing is kept but what came");
  return o;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const method what = calls[in.byte() % calls.size()];
  const std::size_t piece = 1 + in.byte();
  const std::string_view text = in.text();
  const outcome whole = take(what, text, text.size() + 1);
  const outcome pieces = take(what, text, piece);
  QUORUMD_INVARIANT(whole.good == pieces.good, "JSON is good or not, in whatever pieces it comes");
  QUORUMD_INVARIANT(!whole.good || whole.messages == pieces.messages, "the messages do not depend on the pieces");
  for (std::string_view rest = whole.messages; !rest.empty();) {
    QUORUMD_INVARIANT(rest.size() >= prefix_bytes && rest.size() - prefix_bytes >= message_length(rest),
                      "messages are whole");
    rest.remove_prefix(prefix_bytes + message_length(rest));
  }
  const json_call call(what);
  const std::string message = std::string(prefix_bytes, '\0') + std::string(text);
  QUORUMD_INVARIANT(!call.answer(std::as_bytes(std::span(message))).empty(), "there is always an answer");
  return 0;
}
