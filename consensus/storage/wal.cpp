#include "consensus/storage/wal.hpp"

#include "consensus/storage/wal_impl.hpp"
#include "consensus/types/invariant.hpp"

#include <utility>

namespace quorumd::storage {

result<std::unique_ptr<wal>> wal::open(file_system& fs, std::string directory, wal_options options,
                                       coro::entropy& random, std::span<const group_snapshot> snapshots,
                                       const recovery_progress& progress) {
  QUORUMD_INVARIANT(options.segment_bytes % block_bytes == 0 && options.segment_bytes >= 4 * block_bytes,
                    "segments are whole blocks, at least 16 KiB");
  result<opened_log> opened = recover_log(fs, directory, options, random, snapshots, progress);
  if (!opened) return opened.error();
  return std::unique_ptr<wal>(
      new wal(std::make_unique<impl>(fs, std::move(directory), options, random, std::move(*opened))));
}

wal::wal(std::unique_ptr<impl> i)
    : impl_(std::move(i)) {}
wal::~wal() = default;

const std::vector<recovered_group>& wal::recovered() const {
  return impl_->recovered();
}
void wal::start(coro::loop& home, coro::worker& log, coro::worker& prepare, const coro::clock& clock) {
  impl_->start(home, log, prepare, clock);
}
void wal::attach(group_id group, coro::loop& loop, completion& c) {
  impl_->attach(group, loop, c);
}
void wal::detach(group_id group) {
  impl_->detach(group);
}
coro::task<void> wal::run_space_watch() {
  return impl_->run_space_watch();
}
coro::task<void> wal::stop() {
  return impl_->stop();
}
void wal::submit(write&& w) {
  impl_->submit(std::move(w));
}
bool wal::has_room() const {
  return impl_->has_room();
}
void wal::truncate_prefix(group_id group, snapshot_mark mark, log_index keep_from) {
  impl_->truncate_prefix(group, std::move(mark), keep_from);
}
coro::task<result<std::vector<entry>>> wal::read(group_id group, log_index first, log_index last,
                                                 std::size_t bytes_max) {
  return impl_->read(group, first, last, bytes_max);
}
std::uint64_t wal::logged_since(group_id group, log_index index) const {
  return impl_->logged_since(group, index);
}
log_index wal::first_within(group_id group, std::uint64_t bytes) const {
  return impl_->first_within(group, bytes);
}
bool wal::accepting_puts() const {
  return impl_->accepting_puts();
}
space_status wal::space() const {
  return impl_->space();
}
bool wal::waits_for_room() const {
  return impl_->waits_for_room();
}
void wal::report_no_space(const error& why) {
  impl_->report_no_space(why);
}
bool wal::failed() const {
  return impl_->failed();
}
wal_stats wal::stats() const {
  return impl_->stats();
}

log_metrics wal::metrics() const {
  return impl_->metrics();
}

result<void> append_to_log(file_system& fs, const std::string& directory, const wal_options& options,
                           coro::entropy& random, std::span<const group_snapshot> snapshots, const write& last) {
  result<opened_log> opened = recover_log(fs, directory, options, random, snapshots, {});
  if (!opened) return opened.error();
  segment_pool pool(fs, directory, options);
  log_engine engine(std::move(*opened), options, random, pool);
  std::vector<truncation> none;
  const result<log_engine::outcome> written = engine.write(std::span(&last, 1), none);
  if (!written) return written.error();
  // The fresh segment has room for one small batch, unless the volume is full.
  if (*written != log_engine::outcome::written)
    return error(error_code::no_space, directory, "there is no room to write to the log: free some space");
  return {};
}

} // namespace quorumd::storage
