// The server's side of HTTP/2: whatever comes, in whatever pieces, what is heard of a stream is in order, and what is
// counted as unsent is.
#include "consensus/types/invariant.hpp"
#include "daemon/clients/etcd/http2_session.hpp"
#include "tests/fuzz/input.hpp"

#include <map>
#include <string_view>

using namespace quorumd;
using namespace quorumd::clients::etcd;

namespace {

constexpr std::size_t body_bytes = 5000;

class listener final : public http2_session::handler {
 public:
  explicit listener(std::uint8_t answers)
      : answers_(answers) {}
  http2_session* session = nullptr;

  void stream_begun(std::int32_t id) override {
    QUORUMD_INVARIANT(seen_.emplace(id, stream()).second, "a stream begins once");
  }
  bool header(std::int32_t id, std::string_view name, std::string_view) override {
    QUORUMD_INVARIANT(!open(id).ended && !name.empty(), "headers come before the end");
    return name != "refused";
  }
  void data(std::int32_t id, std::span<const std::byte> bytes) override {
    QUORUMD_INVARIANT(!open(id).ended && !bytes.empty(), "data comes before the end");
    if (answers_ % 5 == 4) session->reset(id, 0);
  }
  void request_ended(std::int32_t id) override {
    QUORUMD_INVARIANT(!std::exchange(open(id).ended, true), "a request ends once");
    answer(id);
  }
  void body_left(std::int32_t id, std::size_t bytes) override {
    stream& s = open(id);
    QUORUMD_INVARIANT(bytes <= s.unsent, "no more leaves than was added");
    s.unsent -= bytes;
  }
  void stream_closed(std::int32_t id) override { QUORUMD_INVARIANT(seen_.erase(id) == 1, "what closes was open"); }
  [[nodiscard]] std::size_t unsent() const {
    std::size_t sum = 0;
    for (const auto& [id, s] : seen_) sum += s.unsent;
    return sum;
  }

 private:
  struct stream {
    bool ended = false;
    std::size_t unsent = 0;
  };
  stream& open(std::int32_t id) {
    const auto found = seen_.find(id);
    QUORUMD_INVARIANT(found != seen_.end(), "nothing is heard of what is closed");
    return found->second;
  }
  void answer(std::int32_t id) {
    switch (answers_++ % 4) {
    case 0:
      return session->answer(id, {{":status", "200"}, {"grpc-status", "0"}});
    case 1:
      return session->reset(id, 8);
    default:
      session->begin_answer(id, {{":status", "200"}});
      body_.resize(body_bytes);
      session->add(id, body_);
      open(id).unsent += body_.size();
      if (answers_ % 2 == 0) session->end(id, {{"grpc-status", "0"}});
    }
  }

  std::uint8_t answers_;
  std::map<std::int32_t, stream> seen_;
  std::vector<std::byte> body_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  listener heard(in.byte());
  const std::size_t piece = 1 + in.byte();
  http2_session session({.streams_max = 20, .stream_window = 1 << 16, .connection_window = 1 << 18}, heard);
  heard.session = &session;
  wire::byte_buffer out;
  for (bool open = true; open && !in.empty();) {
    open = session.receive(in.take(piece)) && !session.ended();
    session.send(out, 16 * 1024);
    QUORUMD_INVARIANT(session.unsent() == heard.unsent(), "what is unsent is counted");
    if (out.size() > 8 * 1024) out.clear();
  }
  session.go_away();
  session.send(out, 1 << 20);
  session.drop();
  QUORUMD_INVARIANT(session.unsent() == 0, "nothing is left of what was dropped");
  return 0;
}
