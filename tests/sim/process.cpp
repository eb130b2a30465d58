#include "tests/sim/process.hpp"

#include "consensus/types/invariant.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>

namespace quorumd::sim {
namespace {

constexpr std::uint16_t peer_port = 2380;
constexpr std::size_t handlers_at_the_end_max = 1'000'000;

prng draw(const scheduler& clock, node_id id, std::uint64_t start, std::uint64_t what) {
  return clock.random().fork(1000 + id.value()).fork(start).fork(what);
}

} // namespace

std::string name_of(node_id id) {
  return "n" + std::to_string(id.value());
}

std::string address_of(node_id id) {
  return name_of(id) + ":" + std::to_string(peer_port);
}

wire::local_identity identity_of(std::uint64_t nodes, node_id id) {
  wire::local_identity self;
  self.cluster = cluster_id(77);
  self.cluster_name = "sim";
  self.id = id;
  self.name = name_of(id);
  self.client_address = name_of(id) + ":2379";
  self.software = "sim";
  for (std::uint64_t n = 1; n <= nodes; ++n)
    self.members.push_back({node_id(n), name_of(node_id(n)), address_of(node_id(n))});
  return self;
}

process::process(seams s, const plan& p, node_id id, std::uint64_t start, const node::introduction* told)
    : seams_(s)
    , plan_(p)
    , id_(id)
    , start_(start)
    , told_(told)
    , group_loop_(s.clock.make_loop(name_of(id) + " group", id.value()))
    , network_loop_(s.clock.make_loop(name_of(id) + " network", id.value()))
    , network_(s.network.attach(id.value()))
    , entropy_(draw(s.clock, id, start, 1))
    , log_worker_(s.clock, id.value(), p.log_worker, draw(s.clock, id, start, 2))
    , prepare_worker_(s.clock, id.value(), p.prepare_worker, draw(s.clock, id, start, 3))
    , snapshot_worker_(s.clock, id.value(), p.snapshot_worker, draw(s.clock, id, start, 4)) {
  snapshot_worker_.count([&disk = s.disk] { return disk.moved_bytes(); });
}

process::~process() {
  QUORUMD_INVARIANT(!started_ || ended_, "a simulated process is destroyed only after it ended");
  tasks_.reset();
  stop_.reset();
  node_.reset();
  seams_.clock.release(*group_loop_);
  seams_.clock.release(*network_loop_);
}

storage::result<void> process::open() {
  node::node_options o;
  o.data_dir = "/data";
  o.self = identity_of(told_ == nullptr ? plan_.nodes : 0, id_);
  if (told_ != nullptr) o.joined = *told_;
  o.transport = plan_.transport;
  o.transport.listen = {name_of(id_), peer_port};
  o.wal = plan_.wal;
  o.group = plan_.group;
  prng leases(draw(seams_.clock, id_, start_, 5));
  if (leases.per_mille(plan_.leases_per_mille)) o.group.raft.lease_ticks = plan_.lease_ticks;
  o.group.id_of = [](std::string_view name) { return node_id(std::strtoull(name.data() + 1, nullptr, 10)); };
  o.group.transfers.pack = (plan_.packers >> id_.value() % 64 & 1) != 0;
  if (plan_.staggered) o.group.snapshots.stagger = id_.value();
  auto opened = node::node::open(std::move(o), {.group_loop = *group_loop_,
                                                .network_loop = *network_loop_,
                                                .clock = seams_.clock,
                                                .network = *network_,
                                                .entropy = entropy_,
                                                .fatal = seams_.fatal,
                                                .files = seams_.disk.files(),
                                                .log_worker = log_worker_,
                                                .prepare_worker = prepare_worker_,
                                                .snapshot_worker = snapshot_worker_,
                                                .observer = seams_.observer,
                                                .peer_observer = seams_.peers});
  if (!opened) return opened.error();
  node_ = std::move(*opened);
  return {};
}

void process::start() {
  started_ = true;
  stop_ = std::make_unique<coro::event>(*network_loop_);
  tasks_ = std::make_unique<coro::task_group>(*network_loop_);
  network_loop_->post([this] { tasks_->spawn(live(this)); });
}

coro::task<void> process::live(process* p) {
  const auto listening = co_await p->node_->start();
  QUORUMD_INVARIANT(!listening.has_error(), "a simulated node can always listen");
  co_await p->stop_->wait();
  const coro::duration grace = p->grace_;
  co_await p->node_->stop(grace);
  p->ended_ = true;
}

void process::stop(coro::duration grace) {
  grace_ = grace;
  network_loop_->post([this] { stop_->set(); });
}

void process::abandon() {
  log_worker_.abandon();
  prepare_worker_.abandon();
  snapshot_worker_.abandon();
  if (started_) stop(coro::duration::zero());
}

void process::drain() {
  seams_.clock.drain(id_.value(), handlers_at_the_end_max);
}

} // namespace quorumd::sim
