#include "coro/entropy.hpp"
#include "daemon/node/state_writer.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/support/named_network.hpp"
#include "wire/chunk_packing.hpp"
#include "wire/transport.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;

namespace {

std::string records(std::size_t bytes) {
  std::string text;
  for (std::size_t n = 0; text.size() < bytes; ++n) text += R"({"id":)" + std::to_string(n) + R"(,"state":"ok"})";
  return text;
}

/// The other end of a transfer, which knows what its features say: another member, or one by a change of members that
/// the node does not know yet.
class other_end final : private wire::peer_handler, private wire::peer_observer {
 public:
  other_end(std::uint16_t n1, wire::local_identity self)
      : loop_("n2", clock_)
      , transport_(loop_, network_, entropy_, options(std::move(self)), *this, *this) {
    network_.set("127.0.0.1", n1);
    loop_.start();
    boost::asio::co_spawn(loop_.get_executor(), start(), boost::asio::use_future).get();
  }
  ~other_end() override {
    boost::asio::co_spawn(loop_.get_executor(), transport_.stop(), boost::asio::use_future).get();
    loop_.stop();
  }

  void send(wire::peer_message m) { transport_.send(node_id(1), std::move(m)); }
  /// What a member says that cannot start without a snapshot.
  void want() {
    send(wire::snapshot_credit{.group = group_id(1), .offset = 1, .status = wire::snapshot_status::wanted, .text = {}});
  }

  /// Of the first transfer.
  struct taken {
    std::vector<std::byte> file;
    std::size_t chunks = 0;
    std::size_t packed = 0;
    std::size_t wire_bytes = 0;
    bool whole = false;
  };
  [[nodiscard]] taken received() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  /// It answered to a chunk of the transfer.
  [[nodiscard]] bool heard_of(std::uint64_t transfer) {
    const std::lock_guard lock(mutex_);
    return heard_.contains(transfer);
  }
  /// The node's word on the transfer of that number: how it ended.
  [[nodiscard]] std::optional<wire::snapshot_credit> end_of(std::uint64_t transfer) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(ends_.begin(), ends_.end(), [&](const auto& e) { return e.transfer == transfer; });
    return found == ends_.end() ? std::nullopt : std::optional(*found);
  }

 private:
  static wire::transport_options options(wire::local_identity self) {
    wire::transport_options o;
    o.self = std::move(self);
    o.self.incarnation = incarnation(2);
    o.self.boot = boot_id(2);
    o.listen = {"127.0.0.1", 0};
    return o;
  }
  coro::task<void> start() {
    REQUIRE(transport_.start().has_value());
    co_return;
  }
  void on_peer_up(node_id, const wire::peer_info&) override {}
  void on_peer_down(node_id, const std::string&) override {}
  void on_peer_writable(node_id, bool) override {}
  std::optional<std::string> check_incarnation(node_id, incarnation, log_index) override { return std::nullopt; }
  void on_peer_messages(node_id, std::vector<wire::peer_message>& batch, wire::inbound_hold) override {
    const std::lock_guard lock(mutex_);
    for (const wire::peer_message& m : batch) {
      if (const auto* c = std::get_if<wire::snapshot_chunk>(&m)) take(*c);
      const auto* credit = std::get_if<wire::snapshot_credit>(&m);
      if (credit != nullptr) heard_.insert(credit->transfer);
      if (credit != nullptr && credit->status != wire::snapshot_status::more) ends_.push_back(*credit);
    }
  }
  void take(const wire::snapshot_chunk& c) {
    if (taken_.whole || c.offset != taken_.file.size()) return;
    const auto plain = unpacker_.unpack(c);
    if (!plain) return; // then it never becomes whole
    taken_.file.insert(taken_.file.end(), plain->begin(), plain->end());
    ++taken_.chunks;
    taken_.packed += c.packed_of != 0 ? 1 : 0;
    taken_.wire_bytes += c.bytes.bytes.size();
    taken_.whole = c.last;
    send(wire::snapshot_credit{.group = c.group,
                               .transfer = c.transfer,
                               .offset = taken_.file.size(),
                               .status = c.last ? wire::snapshot_status::done : wire::snapshot_status::more,
                               .text = {}});
  }

  std::mutex mutex_; ///< the test looks while the loop takes
  taken taken_;
  std::vector<wire::snapshot_credit> ends_;
  std::set<std::uint64_t> heard_;
  wire::chunk_unpacker unpacker_;
  coro::steady_clock clock_;
  coro::system_entropy entropy_;
  named_network network_;
  coro::loop loop_;
  wire::transport transport_;
};

/// A node that alone is its cluster, with so much to send, and what somebody with these features gets of it.
other_end::taken fetch_from(node_rig& rig, std::uint64_t features) {
  wire::local_identity self = node_rig::identity(2, 2);
  self.members_index = log_index(1'000'000);
  self.features = features;
  other_end n2(rig.peer_port(), self);
  CHECK(comes_true([&] {
    // Until there is a snapshot, it is asked again; what is asked after the last chunk would begin another transfer.
    if (n2.received().chunks == 0) n2.want();
    std::this_thread::sleep_for(20ms);
    return n2.received().whole;
  }));
  return n2.received();
}

bool is_whole(const other_end::taken& t) {
  memory_files files;
  REQUIRE(files.make_directory("/snapshots").has_value());
  files.set_contents("/snapshots/taken", t.file);
  auto reader = storage::snapshot_reader::open(files, "/snapshots/taken");
  return reader.has_value() && (*reader)->verify().has_value();
}

std::uint64_t reading(node_rig& rig, const std::string& name) {
  const auto r = rig.call(client::metrics_request{});
  REQUIRE(served(r));
  for (const client::reading& one : std::get<client::metrics_reply>(r->reply.body).readings)
    if (one.name == name) return one.value;
  FAIL("there is no reading " << name);
  return 0;
}

/// What is logged of snapshots.
class failures final : public node::observer {
 public:
  void snapshot_failed(const std::string& why) override {
    const std::lock_guard lock(mutex_);
    seen_ += why + '\n';
  }
  [[nodiscard]] bool seen(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return seen_.find(text) != std::string::npos;
  }

 private:
  std::mutex mutex_; ///< the test looks while the node runs
  std::string seen_;
};

/// The file of a state with one key, at a mark of three voters.
struct sent_file {
  sent_file() {
    node::applier::state s{.store = std::make_unique<kv::store>(kv::options{}), .members = {}};
    REQUIRE(s.store->apply(log_index(1), kv::put{.key = "key", .value = records(200'000)}).has_value());
    const storage::snapshot_info info{
        .cluster = cluster_id(1),
        .group = group_id(1),
        .mark = {.index = log_index(1), .term = term(1), .members = {.voters = {node_id(1), node_id(2), node_id(3)}}},
        .created_unix_ms = 0};
    memory_files files;
    const auto written = node::write_state(files, "/snapshots", info, s, {});
    REQUIRE(written.has_value());
    mark = info.mark;
    bytes = files.contents(written->path);
  }
  /// A chunk of it, packed.
  [[nodiscard]] wire::snapshot_chunk chunk(std::uint64_t transfer, std::size_t offset) {
    wire::snapshot_chunk c{.group = group_id(1), .term = term(5), .mark = mark, .transfer = transfer};
    c.offset = offset;
    c.total_bytes = bytes.size();
    const auto plain = std::span(bytes).subspan(offset, std::min(bytes.size() - offset, std::size_t{65536}));
    auto packed = packer.pack(plain);
    REQUIRE(packed.has_value());
    c.bytes = *std::move(packed);
    c.packed_of = plain.size();
    c.last = offset + plain.size() == bytes.size();
    return c;
  }

  snapshot_mark mark;
  std::vector<std::byte> bytes;
  wire::chunk_packer packer;
};

} // namespace

// Who does not say that it understands packed chunks gets none, whatever the node would like.
TEST_CASE("a snapshot is packed for whoever can unpack it, and sent as it is to an older version") {
  node_rig rig(with(1));
  for (int i = 0; i < 10; ++i)
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "key" + std::to_string(i), .value = records(50'000)}))));
  const auto older = fetch_from(rig, wire::feature_member_changes | wire::feature_sessions);
  CHECK(older.chunks > 4);
  CHECK(older.packed == 0);
  CHECK(older.wire_bytes == older.file.size());
  CHECK(is_whole(older));
  CHECK(comes_true([&] { return reading(rig, "snapshot.sent_wire_bytes") == older.file.size(); }));

  const auto newer = fetch_from(rig, wire::feature_packed_chunks);
  CHECK(newer.packed == newer.chunks);
  CHECK(newer.wire_bytes < newer.file.size() / 3);
  CHECK(is_whole(newer));
  CHECK(comes_true([&] { return reading(rig, "snapshot.sent_bytes") == older.file.size() + newer.file.size(); }));
  CHECK(reading(rig, "snapshot.sent_wire_bytes") == older.wire_bytes + newer.wire_bytes);
}

// What cannot be unpacked ends the transfer: both sides hear why, and from whom. The next one is taken.
TEST_CASE("a packed chunk that is damaged is refused, and its sender is named") {
  failures log;
  node_rig::options three = with(1);
  three.members = 3;
  three.observer = &log;
  node_rig rig(three);
  wire::local_identity self = node_rig::identity(2, 3);
  self.features = wire::feature_packed_chunks;
  other_end n2(rig.peer_port(), self);
  sent_file file;

  REQUIRE(comes_true([&] {
    wire::snapshot_chunk damaged = file.chunk(1, 0);
    damaged.bytes.bytes = damaged.bytes.bytes.first(damaged.bytes.bytes.size() - 1);
    n2.send(damaged);
    std::this_thread::sleep_for(5ms); // the stream may not stand yet
    return n2.end_of(1).has_value();
  }));
  CHECK(n2.end_of(1)->status == wire::snapshot_status::refused);
  CHECK(n2.end_of(1)->text.find("a snapshot's chunk cannot be unpacked") != std::string::npos);
  CHECK(log.seen("receiving from n2: corrupt (offset 0): a snapshot's chunk cannot be unpacked"));

  for (std::size_t offset = 0; offset < file.bytes.size(); offset += 65536) n2.send(file.chunk(2, offset));
  REQUIRE(comes_true([&] { return n2.end_of(2).has_value(); }));
  CHECK(n2.end_of(2)->status == wire::snapshot_status::done);
  CHECK(comes_true([&] {
    const auto r = rig.call(client::range_read{.request = {.key = "key"}, .serializable = true});
    const auto* found = r ? std::get_if<kv::range_reply>(&r->reply.body) : nullptr;
    return found != nullptr && found->count == 1;
  }));
}

// A leader's whole window is still to be looked at when the next leader sends the same: its first chunk is not dropped
// for want of room, after which it would wait for an answer until it gives up.
TEST_CASE("what an earlier leader sent takes no room from the next one's snapshot") {
  node_rig::options three = with(1);
  three.members = 3;
  node_rig rig(three);
  other_end n2(rig.peer_port(), node_rig::identity(2, 3));
  sent_file file;
  wire::snapshot_chunk of_before = file.chunk(1, 0);
  of_before.offset = 1; // begins nothing, and is short, so that all arrive together
  of_before.bytes.bytes = of_before.bytes.bytes.first(1);
  wire::snapshot_chunk of_next = file.chunk(2, 0);
  of_next.term = term(6);

  REQUIRE(comes_true([&] { // until the stream stands
    n2.send(of_before);
    std::this_thread::sleep_for(5ms);
    return n2.heard_of(1);
  }));
  for (std::size_t i = 0; i < node::snapshot_window_chunks_max; ++i) n2.send(of_before);
  n2.send(of_next);
  CHECK(comes_true([&] { return n2.heard_of(2); }));
}
