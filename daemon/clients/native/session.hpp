#pragma once

#include "daemon/client/protocol.hpp"
#include "daemon/clients/connection.hpp"
#include "daemon/clients/native/watch_waits.hpp"
#include "daemon/clients/profiler.hpp"
#include "daemon/clients/reporter.hpp"
#include "wire/frame.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace quorumd::clients {

/// A connection of quorumd's own protocol (wire/client_protocol.hpp).
class session final : public connection {
 public:
  struct helpers {
    reporter* reports = nullptr;  ///< without it the node tells nothing of what it measures
    profiler* profiles = nullptr; ///< for operators
  };
  /// `begun` is what was read of it so far.
  session(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o, observer& watcher,
          const helpers& h, std::span<const std::byte> begun);
  ~session() override;

  /// Answers with one error and closes: for connections that are not admitted.
  [[nodiscard]] static coro::task<void> turn_away(std::unique_ptr<coro::stream> s, wire::request_errc code,
                                                  std::string text);

 private:
  /// What a reply_to's slot says of a request.
  enum class asked : std::uint32_t { plain, health };

  // service::protocol
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text,
              std::string_view leader) override;
  void refuse(std::uint64_t id, node::request_errc why, std::string_view text) override;
  void refuse(std::uint64_t id, const kv::error& why) override;
  void reply_room_came() override;

  // connection
  [[nodiscard]] coro::task<bool> read_once() override;
  std::size_t take_from(service& s) override { return s.take(out()); }
  void reading_ended() override;
  [[nodiscard]] std::string complaint(coro::time_point now) override;

  [[nodiscard]] coro::duration frame_patience();
  [[nodiscard]] bool make_room_for_frame();
  [[nodiscard]] bool take_frames();
  [[nodiscard]] bool has_place(const client::client_request& r);
  [[nodiscard]] bool refuse_too_large(const std::string& why);
  void take(std::span<const std::byte> frame);
  void take(const client::client_request& r);
  void take_status(std::uint64_t id, bool all);
  void take_metrics(std::uint64_t id);
  bool take_members(const client::client_request& r, service::time_limits until);
  void take_profile(std::uint64_t id, const client::profile_request& p);
  void take_watch(std::uint64_t id, const client::watch_request& w);
  void end_watches();
  void take_snapshot(std::uint64_t id, const client::snapshot_request& r);
  template <class Body>
  void reply_at_once(std::uint64_t id, const Body& body) {
    const std::size_t before = out().size();
    client::encode_reply(out(), id, body);
    asks().holds(out().size() - before);
  }
  void bad(const std::string& why);

  const helpers helpers_;
  const std::shared_ptr<watch_waits> waits_;
  wire::frame_reader reader_;
  std::size_t frame_bytes_ = 0;    ///< of a large one that is being read
  coro::time_point listens_since_; ///< for what is missing of a large frame
  bool refused_ = false;           ///< it asked for what there is no place for
  bool more_frames_ = false;       ///< were read and wait for room
};

} // namespace quorumd::clients
