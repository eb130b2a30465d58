#include "tests/sim/sim_disk.hpp"

#include <utility>

namespace quorumd::sim {

using testing::memory_files;

sim_disk::sim_disk(scheduler& s, std::uint64_t owner, prng p)
    : clock_(s)
    , owner_(owner)
    , random_(p) {
  files_.set_hook([this](const memory_files::operation& o) { return before(o); });
}

memory_files::fault sim_disk::before(const memory_files::operation& o) {
  if (o.call == memory_files::call::read || o.call == memory_files::call::write) moved_bytes_ += o.bytes;
  if (!o.changes()) return memory_files::fault::none;
  clock_.record("disk", owner_, static_cast<std::uint64_t>(o.call), o.bytes);
  if (freeze_in_ != 0 && --freeze_in_ == 0) {
    on_freeze_();
    return memory_files::fault::freeze;
  }
  if (o.call == memory_files::call::sync && failing_sync_ != 0 && --failing_sync_ == 0) {
    ++failed_syncs_;
    return memory_files::fault::io;
  }
  return memory_files::fault::none;
}

void sim_disk::freeze_after(std::uint64_t effects, std::function<void()> f) {
  freeze_in_ = effects;
  on_freeze_ = std::move(f);
}

void sim_disk::recover() {
  files_.crash(random_.next());
  calm();
  clock_.record("disk recovered", owner_, files_.used_bytes());
}

} // namespace quorumd::sim
