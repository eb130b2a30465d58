#pragma once

#include "daemon/clients/connection.hpp"
#include "daemon/clients/reporter.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace quorumd::clients {

/// A connection that speaks HTTP/1.1, for those who look after a node: /health, /livez, /readyz, /version and /metrics.
/// One request at a time is under way.
class http_connection final : public connection {
 public:
  /// `begun` is what was read of it so far. Without a reporter there are no metrics.
  http_connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o, observer& watcher,
                  reporter* reports, std::span<const std::byte> begun);

 private:
  /// What an answer from the group is to look like.
  enum class asked : std::uint32_t { health, health_but_for_space, ready };

  // service::protocol
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text,
              std::string_view leader) override;
  void refuse(std::uint64_t id, node::request_errc why, std::string_view text) override;
  void refuse(std::uint64_t id, const kv::error& why) override;

  // connection
  [[nodiscard]] coro::task<bool> read_once() override;
  std::size_t take_from(service& s) override;
  [[nodiscard]] std::string complaint(coro::time_point now) override;

  using parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void expect_request();
  [[nodiscard]] bool take_bytes();
  void take(const parser::value_type& request);
  void ask_health(asked how, bool serializable);
  void ask_metrics(bool etcd_too);
  void say_health(wire::byte_buffer& out, asked how, bool healthy, std::string_view reason);
  void write(wire::byte_buffer& out, unsigned status, std::string_view type, std::string_view body);
  void answer(unsigned status, std::string_view type, std::string_view body);

  reporter* const reports_;
  std::optional<parser> parser_;
  wire::byte_buffer read_;
  coro::time_point since_; ///< the request that is being read, or waited for
  bool begun_ = false;     ///< some of it came
  bool under_way_ = false; ///< a request is
  bool more_ = false;      ///< was read behind it
  bool keep_ = true;       ///< another may follow
};

} // namespace quorumd::clients
