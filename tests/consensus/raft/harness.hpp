#pragma once

#include "consensus/raft/core.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace quorumd::raft::test {

/// The id of node n, counted from 1.
inline node_id id(std::uint64_t n) {
  return node_id(n);
}
inline std::string text_of(const entry& e) {
  return {reinterpret_cast<const char*>(e.payload().data()), e.payload().size()};
}
/// An entry that holds the text.
entry make_entry(std::uint64_t t, std::uint64_t i, std::string_view text = "x");
/// Entries from index `first` on with these terms.
std::vector<entry> make_entries(std::uint64_t first, const std::vector<std::uint64_t>& terms);
/// Of the n-th read of a node.
inline read_context context(std::uint64_t n) {
  return {.boot = boot_id(7), .sequence = n};
}
/// A command that holds the text.
proposal make_proposal(std::string_view text);
/// Everything up to `match` was taken and is durable.
inline append_response accepted(std::uint64_t t, std::uint64_t match, std::uint64_t round = 0) {
  return {.term = term(t),
          .accepted = true,
          .match = log_index(match),
          .rejected = {},
          .conflict_term = {},
          .conflict_index = {},
          .round = round};
}
/// Voters 1 to n.
configuration voters(std::uint64_t n);
/// These voters, and these learners.
configuration these(const std::vector<std::uint64_t>& voting, const std::vector<std::uint64_t>& learning = {});
/// `1 2 3`, `1 2 + 4` with a learner, `1 4 <- 1 2 3` while joint.
std::string text_of(const configuration& c);
/// A new log, or one with entries of these terms from index 1 on, in a cluster of n voters.
initial_state state_with(std::uint64_t n, const std::vector<std::uint64_t>& terms = {}, std::uint64_t term_now = 0,
                         std::uint64_t commit = 0);
options options_of(std::uint64_t self, std::uint64_t seed = 1);

/// One core whose messages and writes the test carries by hand.
struct subject {
  explicit subject(options o, initial_state s)
      : c(o, std::move(s)) {}

  core c;
  ready out;

  /// The next output; the one before is forgotten.
  ready& take() {
    out.clear();
    c.take(out);
    return out;
  }
  /// Takes and persists until nothing is due; gives every message, in the order in which they may leave.
  std::vector<outgoing> settle();
  void tick(std::uint32_t n) {
    while (n-- > 0) c.tick();
  }
  /// Ticks until the role is as wanted; fails the test if that takes long.
  void tick_until(role wanted);
  /// Becomes leader of a cluster of `n` with the votes of all, and settles.
  void win(std::uint64_t n);
};

/// Those of a kind among messages, with their receivers.
template <class T>
std::vector<std::pair<node_id, T>> all_of(const std::vector<outgoing>& messages) {
  std::vector<std::pair<node_id, T>> found;
  for (const outgoing& o : messages)
    if (const T* m = std::get_if<T>(&o.message)) found.emplace_back(o.to, *m);
  return found;
}

/// What one node's disk holds for certain.
struct disk {
  hard_state hard;
  snapshot_mark start;    ///< the log follows it
  snapshot_mark snapshot; ///< the newest snapshot file
  std::vector<entry> entries;
  log_index commit;

  [[nodiscard]] log_index last() const { return start.index + entries.size(); }
  [[nodiscard]] initial_state recover() const;
  void apply(const ready& write);
};

struct envelope {
  node_id from;
  node_id to;
  raft::message message;
};

/// What must hold of all nodes together, remembered over their crashes.
class witness {
 public:
  /// Empty, or what is broken.
  [[nodiscard]] const std::string& broken() const { return broken_; }
  /// The node leads a term, in its so-manieth life; its log must hold all that was committed in earlier terms.
  void leader(node_id id, std::uint64_t boot, const core& c);
  /// The node applied an entry while in that term.
  void applied(node_id id, const entry& e, term now);
  void report(std::string what) {
    if (broken_.empty()) broken_ = std::move(what);
  }
  /// The entries that some node applied, by index.
  struct fact {
    quorumd::term term;
    std::string text;
    quorumd::term known_in; ///< committed in this term or before
    bool command = false;
  };
  [[nodiscard]] const std::map<log_index, fact>& truth() const { return truth_; }

 private:
  std::map<term, std::pair<node_id, std::uint64_t>> leaders_;
  std::map<log_index, fact> truth_;
  std::string broken_;
};

class watcher;

/// Several cores in one process with disks and a network that the test rules.
class cluster {
 public:
  struct node {
    node_id id;
    std::unique_ptr<core> c; ///< null while crashed
    options opt;
    disk durable;
    std::deque<std::unique_ptr<ready>> writes; ///< handed out, not durable
    std::uint64_t boots = 0;
    log_index applied;
    std::vector<std::string> commands; ///< applied since the last start or install
    std::vector<read_state> reads;
    bool slow_disk = false; ///< settle() leaves its writes alone
  };

  explicit cluster(std::uint64_t n, const std::function<void(options&)>& tweak = {}, std::uint64_t seed = 1);
  /// n nodes of which these are the members at first.
  cluster(std::uint64_t n, const configuration& first, const std::function<void(options&)>& tweak = {},
          std::uint64_t seed = 1);
  /// A cluster whose nodes start from these logs.
  explicit cluster(const std::vector<std::vector<std::uint64_t>>& logs, std::uint64_t term_now);

  node& at(std::uint64_t n) { return nodes_[n - 1]; }
  core& operator[](std::uint64_t n) { return *at(n).c; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  /// Takes the node's outputs until nothing is due: messages into the bag, writes into its queue, commits applied.
  void pump(std::uint64_t n);
  /// Its oldest write becomes durable.
  void persist_one(std::uint64_t n);
  /// Everything that was sent arrives, every write of a quick disk ends, until nothing moves.
  void settle();
  void tick(std::uint64_t n, std::uint32_t count = 1);
  /// Every node's clock moves, and after each tick all settles.
  void run(std::uint32_t ticks);
  /// Runs until there is one leader that a quorum follows; 0 if that takes too long.
  std::uint64_t run_until_leader(std::uint32_t ticks_max = 600);

  /// Makes the node lead and settles.
  void elect(std::uint64_t n);
  /// Proposes the text at the node; false if it was refused.
  bool propose(std::uint64_t n, std::string_view text);
  /// Asks the node to make these the members.
  change_error change(std::uint64_t n, const configuration& target);
  void crash(std::uint64_t n);
  void restart(std::uint64_t n);
  /// The node takes a snapshot of what it applied and keeps `trailing` entries before it.
  void compact(std::uint64_t n, std::uint64_t trailing = 0);
  void cut(std::uint64_t a, std::uint64_t b) { cuts_.insert(std::minmax(a, b)); }
  void isolate(std::uint64_t n);
  void heal() { cuts_.clear(); }
  [[nodiscard]] bool connected(node_id a, node_id b) const;
  void deliver(const envelope& e);
  /// The same, whatever is cut.
  void arrive(const envelope& e);

  std::deque<envelope> bag;                           ///< sent, not arrived
  std::function<bool(const envelope&)> drop;          ///< true loses the message
  std::vector<std::pair<node_id, node_id>> snapshots; ///< asked for: (leader, follower)
  bool send_snapshots = true;                         ///< the newest one leaves as soon as it is asked for
  std::uint64_t loads = 0;                            ///< answered
  std::uint64_t inputs = 0;                           ///< given to the cores: ticks, messages, writes that ended, …
  witness seen;
  watcher* watched = nullptr; ///< by it, from when it is set

 private:
  void carry_out(node& n, ready& out);
  void stepped(node& n, const char* what, const envelope* arrived = nullptr);
  void send(node& n, std::vector<outgoing>& messages);

  std::vector<node> nodes_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cuts_;
  ready scratch_;
};

/// Is told of everything that the nodes of a cluster do, in the order in which they do it.
class watcher {
 public:
  watcher() = default;
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
  virtual ~watcher() = default;
  /// The node's core was made anew from its disk.
  virtual void started(const cluster::node& n) = 0;
  /// The node's core was given an input: a message, if it is not null.
  virtual void stepped(const cluster::node& n, const char* what, const envelope* arrived) = 0;
  /// A write was handed to the disk.
  virtual void writing(const cluster::node& n) = 0;
  /// The oldest write is durable.
  virtual void durable(const cluster::node& n) = 0;
  /// The message leaves, whether it arrives or not.
  virtual void sent(const envelope& e) = 0;
};

/// Appends of the leader's entries are lost on their way to these nodes: for cluster::drop.
std::function<bool(const envelope&)> no_appends_to(std::vector<std::uint64_t> nodes);
/// Who the members are, as the node knows.
std::string members_of(cluster& c, std::uint64_t n);

} // namespace quorumd::raft::test
