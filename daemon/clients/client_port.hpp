#pragma once

#include "coro/loop.hpp"
#include "coro/net.hpp"
#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "daemon/clients/admission.hpp"
#include "daemon/clients/connection.hpp"
#include "daemon/clients/observer.hpp"
#include "daemon/clients/profiler.hpp"
#include "daemon/clients/reporter.hpp"
#include "daemon/clients/shared_memory.hpp"
#include "daemon/node/node.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::clients {

namespace etcd {
class event_encoder;
}

/// Accepts clients, on the TCP port and on the admin socket, tells by their first bytes which protocol they speak, and
/// spreads them over the loops.
class client_port {
 public:
  struct options {
    session_options session;
    std::size_t clients_max = 512;        ///< connections on the client port
    std::size_t local_clients_more = 32;  ///< that those from this machine may have beyond: the operator always gets in
    std::size_t health_clients_more = 16; ///< beyond both, for a question about health or status each
    std::size_t inflight_max = 65'536;    ///< requests of all clients
    std::size_t queues_bytes_max = std::size_t{256} * 1024 * 1024;  ///< that requests and replies of all clients hold
    std::size_t watches_bytes_max = std::size_t{256} * 1024 * 1024; ///< that what all clients watch takes
  };
  /// Who may use a local socket; nothing if they may, else why not.
  using judge = std::function<std::optional<std::string>(const coro::credentials&)>;

  /// `home` is where connections are accepted.
  client_port(coro::loop& home, std::vector<coro::loop*> loops, node::node& n, options o, observer& watcher);
  ~client_port();

  // On the home loop.
  /// Serves whom the acceptor brings; several acceptors may be added.
  void serve(std::unique_ptr<coro::acceptor> a, judge who = {});
  /// Likewise, but only HTTP/1.1, for those who look after the node: its health and what it measures.
  void serve_watched(std::unique_ptr<coro::acceptor> a);
  /// Accepts nobody and reads no further request.
  [[nodiscard]] coro::task<void> stop_reading();
  /// Waits until every answer is written, but not longer than that; then ends every session.
  [[nodiscard]] coro::task<void> stop(coro::duration at_most);

  [[nodiscard]] std::size_t connections() const {
    return connections_.load() + health_connections_.load() + watched_connections_.load();
  }
  /// What the requests and replies of all clients hold.
  [[nodiscard]] std::size_t held_bytes() const { return memory_.held(); }
  /// Before the first is served: who answers for what the node measures.
  void set_reporter(reporter& r) { reporter_ = &r; }
  /// Likewise who makes profiles, for those who are judged, and over HTTP/1.1 for those who may.
  void set_profiler(profiler& p) { profiler_ = &p; }
  /// On one of the loops: adds what its sessions measured.
  void add_to(session_metrics& sum) const;
  /// Requests of all clients that are under way.
  [[nodiscard]] std::size_t requests() const { return admission_.count(); }

 private:
  /// Connected, and has not said yet what it speaks.
  struct newcomer {
    coro::stream& stream;
    coro::time_point until; ///< it may be silent
  };
  /// The connections of one loop.
  struct place {
    explicit place(coro::loop& l)
        : loop(l)
        , sessions(l)
        , looking(l) {}
    coro::loop& loop;
    coro::task_group sessions;
    coro::task_group looking; ///< after them
    std::set<newcomer*> arriving;
    std::set<connection*> open;
    session_metrics measured;
    bool closing = false;
    bool looked_after = false;
  };
  /// One connection, as long as it lives.
  class counted {
   public:
    explicit counted(std::atomic<std::size_t>& n)
        : n_(&n) {}
    counted(counted&& other) noexcept
        : n_(std::exchange(other.n_, nullptr)) {}
    counted& operator=(counted&& other) noexcept {
      std::swap(n_, other.n_);
      return *this;
    }
    ~counted() {
      if (n_ != nullptr) n_->fetch_sub(1);
    }

   private:
    std::atomic<std::size_t>* n_;
  };
  coro::task<void> run_accepting(std::shared_ptr<coro::acceptor> a, judge who, bool watched);
  void admit(place& p, std::unique_ptr<coro::stream> s, const judge& who);
  void admit_watched(place& p, std::unique_ptr<coro::stream> s);
  /// A place among so many.
  [[nodiscard]] static std::optional<counted> enter(std::atomic<std::size_t>& places, std::size_t most);
  coro::task<void> run_looking_after(place* p);
  coro::task<void> serve_counted(place* p, std::unique_ptr<coro::stream> s, session_options o, bool operator_here,
                                 counted one);
  [[nodiscard]] coro::task<std::unique_ptr<connection>> welcome(place* p, std::unique_ptr<coro::stream> s,
                                                                session_options o, bool operator_here);
  void look_after_all(place& p);
  coro::task<void> tell_connections(void (connection::*what)());

  coro::loop& home_;
  node::node& node_;
  const options options_;
  observer& observer_;
  admission admission_;
  shared_memory memory_;
  reporter* reporter_ = nullptr;
  profiler* profiler_ = nullptr;
  std::unique_ptr<etcd::event_encoder> events_; ///< the group's loop
  std::vector<std::unique_ptr<place>> places_;
  std::size_t next_place_ = 0;
  coro::task_group accepting_;
  std::vector<std::shared_ptr<coro::acceptor>> acceptors_;
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> health_connections_{0};
  std::atomic<std::size_t> watched_connections_{0};
};

} // namespace quorumd::clients
