#pragma once

#include "coro/loop.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::coro {

/// Looks up host names, each on a thread of its own, since the system's look-up can neither be called back nor told
/// when to end: one that hangs delays neither those of other names nor the end of the process, which leaves it behind.
/// Whoever asks for a name that is being looked up waits for that look-up; the number at a time is bounded.
class name_lookups {
 public:
  struct outcome {
    boost::system::error_code error;
    std::vector<boost::asio::ip::address> found;
  };
  using receiver = std::function<void(const outcome&)>;

  /// A look-up that somebody waits for. Once it has ended or is destroyed the receiver is not called any more.
  class ticket {
   public:
    virtual ~ticket() = default;
  };

  /// `names_max`: of look-ups at a time; beyond it they fail with `try_again`.
  explicit name_lookups(std::size_t names_max = 64);
  ~name_lookups();

  /// The receiver is called on the loop, later. The ticket ends before the loop does.
  [[nodiscard]] std::unique_ptr<ticket> start(loop& l, const std::string& host, receiver r);

  /// The system's look-up, which tests replace. Blocking.
  using resolver = std::function<outcome(const std::string& host)>;
  void replace_resolver(resolver r);

 private:
  struct shared;
  std::shared_ptr<shared> shared_;
};

} // namespace quorumd::coro
