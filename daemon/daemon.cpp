#include "daemon/daemon.hpp"

#include "config/exit_codes.hpp"
#include "consensus/storage/posix_files.hpp"
#include "coro/asio_network.hpp"
#include "daemon/admin/admin_socket.hpp"
#include "daemon/clients/client_port.hpp"
#include "daemon/join.hpp"
#include "daemon/log_observer.hpp"
#include "daemon/node/node.hpp"
#include "daemon/options.hpp"
#include "daemon/profile/free_memory.hpp"
#include "daemon/profile/gperf_profiler.hpp"
#include "daemon/reload.hpp"
#include "daemon/telemetry/collector.hpp"
#include "daemon/telemetry/log.hpp"
#include "daemon/telemetry/service_manager.hpp"
#include "daemon/telemetry/watchdog.hpp"
#include "daemon/version/version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_future.hpp>

#include <spdlog/spdlog.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::daemon {
namespace {

using config::exit_code::ok;

int code_of(coro::fatal_cause cause) {
  switch (cause) {
  case coro::fatal_cause::disk:
    return config::exit_code::disk;
  case coro::fatal_cause::corruption:
    return config::exit_code::corruption;
  case coro::fatal_cause::identity:
    return config::exit_code::identity;
  case coro::fatal_cause::version:
    return config::exit_code::version;
  }
  return config::exit_code::disk;
}

/// Ends the process at once: nothing that runs may touch the disk again.
class exit_on_fatal final : public coro::fatal_hook {
 public:
  void fatal(coro::fatal_cause cause, const std::string& reason) override {
    spdlog::critical("{}", reason);
    spdlog::default_logger()->flush();
    std::_Exit(code_of(cause));
  }
};

/// The signals that the daemon hears, blocked in every thread and waited for by one.
class stop_signals {
 public:
  stop_signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    // A limit on the size of files is then an error of the write, which is treated as a full disk.
    std::signal(SIGXFSZ, SIG_IGN);
  }
  [[nodiscard]] int wait() const {
    int which = 0;
    while (sigwait(&set_, &which) != 0) {
    }
    return which;
  }
  /// The signal that ends the daemon, or 0 if none came within that time: what is starting has just read its settings.
  [[nodiscard]] int wait_for(std::chrono::milliseconds at_most) const {
    const timespec limit{.tv_sec = at_most.count() / 1000, .tv_nsec = at_most.count() % 1000 * 1'000'000};
    const int which = sigtimedwait(&set_, nullptr, &limit);
    return which == SIGTERM || which == SIGINT ? which : 0;
  }

 private:
  sigset_t set_{};
};

constexpr std::chrono::seconds start_extension{30};
constexpr std::chrono::seconds stop_margin{15}; ///< beyond shutdown.grace, before the service manager kills
/// How long a name or an address to listen on may take to appear.
constexpr std::chrono::seconds listen_patience{30};

/// Everything that a running daemon is made of, built bottom up and taken down top down.
class server {
 public:
  server(const config::settings& s, const reread& again)
      : settings_(s)
      , reread_(again) {
    const std::size_t n = loops_of(s);
    for (std::size_t i = 0; i < n; ++i)
      loops_.push_back(std::make_unique<coro::loop>("loop-" + std::to_string(i), clock_));
  }

  int run() {
    if (const ended_with code = recover()) return *code;
    if (const ended_with code = listen()) return *code;
    for (auto& l : loops_) l->start();
    if (const ended_with code = join_cluster()) return end(*code);
    int signal = catch_up();
    if (signal == 0) {
      boost::asio::co_spawn(home().get_executor(), serve_clients(), boost::asio::use_future).get();
      announce();
      signal = wait_for_stop();
    }
    tell_stopping(signal);
    leave_cluster();
    spdlog::info("stopped");
    return end(ok);
  }

 private:
  [[nodiscard]] coro::loop& home() { return *loops_.front(); }
  [[nodiscard]] coro::loop& network_loop() { return *loops_[1 % loops_.size()]; }

  /// The exit code, if the start ends here.
  using ended_with = std::optional<int>;

  void tell_stopping(int signal) {
    spdlog::info("stopping on {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    manager_.stopping(settings_.shutdown.grace + stop_margin);
  }

  /// On a thread of its own, so that signals are heard: what a recovery leaves behind when it is cut off is what a
  /// crash may leave at any moment, so there is nothing to wait for.
  ended_with recover() {
    const coro::time_point began = clock_.now();
    auto recovering = std::async(std::launch::async, [this] { return open_node(); });
    while (recovering.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      const int signal = signals_.wait_for(std::chrono::milliseconds(20));
      if (signal == 0) continue;
      tell_stopping(signal);
      spdlog::info("stopped before the recovery was done; the next start begins it anew");
      spdlog::default_logger()->flush();
      std::_Exit(ok);
    }
    if (const auto opened = recovering.get(); !opened) {
      spdlog::critical("{}", opened.error().message());
      return exit_code_of(opened.error());
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - began);
    spdlog::info("{} of cluster {}: recovered {} in {} ms", settings_.node.name, node_->self().cluster_name,
                 settings_.node.data_dir.string(), took.count());
    if (!node_->members_differ().empty())
      spdlog::warn(
          "cluster.members says otherwise than the cluster, which counts: {}. The members of a cluster that has "
          "begun are changed by 'quorumd member'",
          node_->members_differ());
    return std::nullopt;
  }

  storage::result<void> open_node() {
    node::node_seams seams{.group_loop = home(),
                           .network_loop = network_loop(),
                           .clock = clock_,
                           .network = network_,
                           .entropy = entropy_,
                           .fatal = fatal_,
                           .files = files_,
                           .log_worker = log_worker_,
                           .prepare_worker = prepare_worker_,
                           .snapshot_worker = snapshot_worker_,
                           .observer = observer_,
                           .peer_observer = observer_};
    node::recovery_progress progress{
        .snapshot = [this](std::uint64_t done,
                           std::uint64_t total) { tell_progress("loading the snapshot", done, total); },
        .log = [this](std::uint64_t done, std::uint64_t total) { tell_progress("replaying the log", done, total); }};
    const auto repair = [this](const node::wanted_snapshot& wanted, const std::string& why) {
      spdlog::error("{}. Asking the other members for a snapshot in its place; this one takes no part meanwhile", why);
      auto fetched = node::fetch_snapshot(
          wanted, files_, clock_, network_, entropy_, observer_,
          [this](std::uint64_t done, std::uint64_t total) { tell_progress("receiving a snapshot", done, total); });
      if (fetched) spdlog::info("received a snapshot in place of the damaged one");
      return fetched;
    };
    node::node_options options = node_options_of(settings_);
    if (settings_.cluster.joins())
      if (auto joined = join_cluster_of(settings_, options); !joined) return joined;
    options.group.id_of = [cluster = options.self.cluster_name](std::string_view name) {
      return member_id(cluster, name);
    };
    auto opened = node::node::open(std::move(options), seams, progress, repair);
    if (!opened) return opened.error();
    node_ = std::move(*opened);
    return {};
  }

  storage::result<void> join_cluster_of(const config::settings& s, node::node_options& options) {
    return find_cluster({.name = s.node.name, .peer = s.advertise.peer, .member = s.cluster.join}, options,
                        {.clock = clock_, .network = network_, .entropy = entropy_, .files = files_},
                        [this] { manager_.extend_start(start_extension); });
  }

  /// Every step forward buys time: a start that hangs still meets the unit's limit.
  void tell_progress(const char* what, std::uint64_t done, std::uint64_t total) {
    manager_.extend_start(start_extension);
    spdlog::debug("{}: {} of {} bytes", what, done, total);
  }

  ended_with listen() {
    std::vector<coro::loop*> loops;
    for (auto& l : loops_) loops.push_back(l.get());
    clients_ = std::make_unique<clients::client_port>(home(), loops, *node_, client_options_of(settings_), observer_);
    collector_ = std::make_unique<telemetry::collector>(*node_, *clients_, loops, clock_);
    clients_->set_reporter(*collector_);
    profiler_ = std::make_unique<profile::gperf_profiler>(home());
    clients_->set_profiler(*profiler_);
    for (const std::string& unknown : admins_.add(settings_.admin.users, settings_.admin.groups))
      spdlog::warn("{}", unknown);

    auto admin = admin::admin_socket::open(home(), network_, settings_.listen.admin.string());
    if (!admin.error.empty()) {
      spdlog::critical("{}", admin.error);
      return config::exit_code::configuration;
    }
    admin_socket_ = std::move(admin.socket);
    admin_acceptor_ = std::move(admin.acceptor);
    if (settings_.listen.has_metrics()) {
      const ended_with failed = listen_for(metrics_acceptor_, "listen.metrics", settings_.listen.metrics);
      if (failed) return failed;
    }
    return listen_for(client_acceptor_, "listen.client", settings_.listen.client);
  }

  ended_with listen_for(std::unique_ptr<coro::acceptor>& to, const char* key, const config::address& at) {
    return listen_at(key, at, [&]() -> boost::system::error_code {
      auto acceptor = network_.listen(home(), endpoint_of(at));
      if (!acceptor) return acceptor.error();
      to = std::move(*acceptor);
      return {};
    });
  }

  /// Tries until it succeeds. At boot a name may not resolve yet and an address may not be on an interface yet: that is
  /// waited for; anything else will not pass by itself.
  template <class Try>
  ended_with listen_at(const char* key, const config::address& at, Try listen_once) {
    const coro::time_point until = clock_.now() + listen_patience;
    for (bool told = false;;) {
      const boost::system::error_code error = listen_once();
      if (!error) return std::nullopt;
      if (!may_come_later(error)) {
        spdlog::critical("{}: cannot listen on {}: {}{}", key, at.text(), error.message(),
                         error == boost::asio::error::address_in_use
                             ? ". Is another daemon running there? Choose another address or stop it"
                             : "");
        return config::exit_code::configuration;
      }
      if (clock_.now() >= until) {
        spdlog::critical("{}: cannot listen on {}: {}, still after {} s. The unit starts the daemon again; if the "
                         "address is wrong, correct {}",
                         key, at.text(), error.message(), listen_patience.count(), key);
        return config::exit_code::not_yet;
      }
      if (!std::exchange(told, true))
        spdlog::warn("{}: cannot listen on {} yet: {}; trying for {} s", key, at.text(), error.message(),
                     listen_patience.count());
      manager_.extend_start(start_extension);
      if (const int signal = signals_.wait_for(std::chrono::milliseconds(250)); signal != 0) {
        tell_stopping(signal);
        return ok;
      }
    }
  }

  static bool may_come_later(boost::system::error_code error) {
    using namespace boost::asio::error;
    return error == host_not_found || error == host_not_found_try_again || error == no_data ||
           error == boost::system::errc::address_not_available;
  }

  /// Peers and the administrator first: who asks for the status meanwhile sees how far the replay is.
  ended_with join_cluster() {
    const ended_with failed = listen_at("listen.peer", settings_.listen.peer, [this]() -> boost::system::error_code {
      auto started =
          boost::asio::co_spawn(network_loop().get_executor(), node_->start(), boost::asio::use_future).get();
      return started ? boost::system::error_code() : started.error();
    });
    if (!failed) boost::asio::co_spawn(home().get_executor(), serve_admins(), boost::asio::use_future).get();
    return failed;
  }

  /// Until everything that was recovered as committed is applied: an earlier answer could lack what was acknowledged.
  /// The signal that came meanwhile, or 0.
  int catch_up() {
    constexpr std::chrono::milliseconds step{100};
    for (log_index before;;) {
      const auto [done, applied] =
          boost::asio::co_spawn(home().get_executor(), catch_up_for(step), boost::asio::use_future).get();
      if (done) return 0;
      if (std::exchange(before, applied) != applied) manager_.extend_start(start_extension);
      if (const int signal = signals_.wait_for(std::chrono::milliseconds(0)); signal != 0) return signal;
    }
  }

  coro::task<std::pair<bool, log_index>> catch_up_for(coro::duration at_most) {
    const bool done = co_await node_->the_group().catch_up(at_most);
    co_return std::pair(done, node_->the_group().state().applied());
  }

  coro::task<void> serve_admins() {
    clients_->serve(std::move(admin_acceptor_), [this](const coro::credentials& c) { return admins_.judge(c); });
    if (metrics_acceptor_) clients_->serve_watched(std::move(metrics_acceptor_));
    tasks_ = std::make_unique<coro::task_group>(home());
    tasks_->spawn(profile::run_freeing_memory(&home()));
    if (const auto interval = manager_.watchdog_interval()) {
      std::vector<coro::loop*> loops;
      for (auto& l : loops_) loops.push_back(l.get());
      watchdog_ = std::make_unique<telemetry::watchdog>(manager_, std::move(loops));
      tasks_->spawn(watchdog_->run_feeding(*interval));
    }
    co_return;
  }

  coro::task<void> serve_clients() {
    clients_->serve(std::move(client_acceptor_));
    co_return;
  }

  void announce() {
    for (const auto* at : {&settings_.listen.client, &settings_.listen.peer})
      if (!at->loopback())
        spdlog::warn("LISTENING ON {} WITHOUT TLS OR PASSWORDS: whoever reaches this port can read and change "
                     "everything. Keep it on a trusted network",
                     at->text());
    spdlog::info("ready: clients at {}, peers at {}, admin socket {}", settings_.listen.client.text(),
                 settings_.listen.peer.text(), settings_.listen.admin.string());
    manager_.ready("serving clients at " + settings_.listen.client.text());
  }

  int wait_for_stop() {
    for (;;) {
      const int signal = signals_.wait();
      if (signal != SIGHUP) return signal;
      manager_.reloading();
      if (reload(settings_, reread_).admins) reload_admins();
      telemetry::set_log_level(settings_.log.level);
      manager_.ready("serving clients at " + settings_.listen.client.text());
    }
  }

  void reload_admins() {
    admin::admins fresh;
    for (const std::string& unknown : fresh.add(settings_.admin.users, settings_.admin.groups))
      spdlog::warn("{}", unknown);
    home().post([this, fresh = std::move(fresh)] { admins_ = fresh; });
  }

  void leave_cluster() {
    const auto grace = settings_.shutdown.grace;
    const coro::time_point until = clock_.now() + grace;
    finish(home(), clients_->stop_reading(), until);
    finish(network_loop(), node_->stop(grace / 2), until);
    finish(home(), clients_->stop(grace / 4), until);
    finish(home(), end_tasks(), until);
  }

  /// Waits for the step, but not beyond the time: a disk that hangs must not keep the process.
  void finish(coro::loop& l, coro::task<void> step, coro::time_point until) {
    auto ended = boost::asio::co_spawn(l.get_executor(), std::move(step), boost::asio::use_future);
    if (ended.wait_for(until - clock_.now()) == std::future_status::ready) return ended.get();
    spdlog::warn(
        "stopping took longer than shutdown.grace and is cut off; what was not answered has an unknown outcome");
    spdlog::default_logger()->flush();
    std::_Exit(ok);
  }

  coro::task<void> end_tasks() {
    tasks_->cancel();
    co_await tasks_->join();
    co_await profiler_->stop();
  }

  int end(int code) {
    for (auto& l : loops_) l->stop();
    return code;
  }

  config::settings settings_; ///< in force; the main thread's once the loops run
  const reread& reread_;
  const stop_signals signals_; // before any thread
  telemetry::service_manager manager_;
  coro::steady_clock clock_;
  coro::system_entropy entropy_;
  coro::asio_network network_;
  storage::posix_files files_;
  exit_on_fatal fatal_;
  log_observer observer_{node_options_of(settings_).self.members, node_options_of(settings_).group.initial};
  std::vector<std::unique_ptr<coro::loop>> loops_;
  std::unique_ptr<profile::gperf_profiler> profiler_;
  coro::thread_worker log_worker_{"log"};
  coro::thread_worker prepare_worker_{"prepare"};
  coro::thread_worker snapshot_worker_{"snapshot"};
  std::unique_ptr<node::node> node_;
  std::unique_ptr<clients::client_port> clients_;
  std::unique_ptr<telemetry::collector> collector_;
  admin::admins admins_;
  std::unique_ptr<admin::admin_socket> admin_socket_;
  std::unique_ptr<coro::acceptor> admin_acceptor_;
  std::unique_ptr<coro::acceptor> client_acceptor_;
  std::unique_ptr<coro::acceptor> metrics_acceptor_;
  std::unique_ptr<coro::task_group> tasks_;
  std::unique_ptr<telemetry::watchdog> watchdog_;
};

} // namespace

int serve(const config::settings& settings, const reread& again) {
  telemetry::set_up_log(settings.log.level);
  spdlog::info("quorumd {} (commit {}) starting", version::number(), version::commit());
  warn_of_few_files(settings);
  server s(settings, again);
  return s.run();
}

} // namespace quorumd::daemon
