#pragma once

#include "coro/task.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/kv/command.hpp"

#include <cstdint>
#include <string>

namespace quorumd::cli {

/// Reads a range page by page, all at one revision: the given one, or else the first page's.
class range_pages {
 public:
  struct what {
    std::string key;
    std::string range_end;
    quorumd::revision revision;
    std::uint64_t limit = 0;
    bool keys_only = false;
    bool serializable = false;
    std::chrono::milliseconds max_age{0}; ///< see client::range_read
    bool count = false;                   ///< the whole range, at the first page
    bool keep = false;                    ///< the revision is to stay readable from the first page on
  };

  range_pages(session& s, what w)
      : session_(s)
      , what_(std::move(w)) {}

  [[nodiscard]] bool done() const { return done_; }
  /// The revision that is read; known after the first page.
  [[nodiscard]] quorumd::revision revision() const { return what_.revision; }
  /// How many keys the whole range has, whatever the limit; known after the first page if it was asked for.
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// The next page, whose answer is a kv::range_reply.
  [[nodiscard]] coro::task<client::call_result> next();

 private:
  coro::task<client::call_result> ask(client::client_body body, coro::time_point deadline);

  session& session_;
  what what_;
  std::uint64_t count_ = 0;
  bool begun_ = false; ///< the first page is there
  bool done_ = false;
};

/// The range of all keys with the prefix.
void set_prefix(std::string& key, std::string& range_end, std::string_view prefix);

/// The answer's body of the kind that the request calls for; another is the server's mistake, which becomes an error.
template <class Body>
[[nodiscard]] const Body* body_of(const client::call_result& r) {
  return std::get_if<Body>(&r->reply.body);
}

/// The error for an answer of another kind.
[[nodiscard]] client::call_error unexpected_answer(const session& s);
/// Asks for the status of every member; the error is why there is none.
[[nodiscard]] coro::task<boost::system::result<std::vector<client::status_row>, client::call_error>>
ask_members(session* s);

} // namespace quorumd::cli
