#pragma once

#include "daemon/client/protocol.hpp"
#include "wire/frame.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quorumd::testing {

/// Where a node listens.
struct place {
  std::string ip;
  std::uint16_t port = 0;
};

/// A connection that sends what it is told, sense or nonsense, and blocks with a time limit. No redirects, no retries.
class raw_connection {
 public:
  explicit raw_connection(const place& at, int receive_buffer_bytes = 0);
  raw_connection(const raw_connection&) = delete;
  raw_connection& operator=(const raw_connection&) = delete;
  ~raw_connection();

  [[nodiscard]] bool connected() const { return fd_ >= 0; }
  /// Whether all of it left within the time.
  bool send(std::string_view bytes, std::chrono::milliseconds at_most = std::chrono::seconds(5));
  bool send(const wire::byte_buffer& frames);
  /// Whether the other end closes within the time; what comes before is thrown away, or added to `said`.
  [[nodiscard]] bool closed_within(std::chrono::milliseconds at_most, std::string* said = nullptr);
  /// Adds what comes to `said` until that has `part` in it from `from` on; false: the time is over, or it was closed.
  [[nodiscard]] bool says(std::string_view part, std::string& said, std::size_t from = 0,
                          std::chrono::milliseconds at_most = std::chrono::seconds(10));
  [[nodiscard]] std::uint16_t local_port() const;
  /// Closes it so that the other end hears nothing; false if that is not permitted.
  bool vanish();
  /// The next reply; its views hold until the next call. Nothing if none came within the time.
  [[nodiscard]] std::optional<client::client_reply> receive(std::chrono::milliseconds at_most);

 private:
  int fd_ = -1;
  wire::frame_reader reader_;
};

/// What became of one request.
struct outcome {
  wire::request_errc code = wire::request_errc::none;
  bool answered = false;
  std::string text;
  std::chrono::milliseconds took{0};
};

/// One put over a connection of its own.
[[nodiscard]] outcome put_once(const place& at, std::string_view key, std::string_view value,
                               std::chrono::milliseconds deadline);
/// The node's own row of the status table.
[[nodiscard]] std::optional<client::status_row> own_status(const place& at);

} // namespace quorumd::testing
