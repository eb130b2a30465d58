#include "wire/snapshot_codec.hpp"

#include "wire/message_build.hpp"
#include "wire/message_read.hpp"
#include "wire/schema/snapshot.capnp.h"

namespace quorumd::wire {

using namespace detail;

namespace {

template <class Root, class Fill>
void append_block(byte_buffer& out, std::size_t words_max, Fill fill) {
  std::byte* at = out.prepare(words_max * word_bytes);
  out.commit(build_at<Root>(at, words_max, 0, fill));
}

void fill_record(schema::SnapshotRecord::Builder to, const kv::record_view& r) {
  to.setKey(data(r.key));
  if (!r.value.empty()) to.setValue(data(r.value));
  to.setCreateRevision(r.create_revision.value());
  to.setModRevision(r.mod_revision.value());
  to.setSub(r.sub);
  to.setVersion(r.version);
  to.setLease(r.lease.value());
}

kv::record_view read_record(schema::SnapshotRecord::Reader from) {
  return {.key = view(from.getKey()),
          .value = view(from.getValue()),
          .create_revision = number<revision>(from.getCreateRevision()),
          .mod_revision = number<revision>(from.getModRevision()),
          .sub = from.getSub(),
          .version = from.getVersion(),
          .lease = lease_id(from.getLease())};
}

} // namespace

void encode_snapshot_header(byte_buffer& out, const kv::snapshot_header& header) {
  append_block<schema::SnapshotHeader>(out, root_words<schema::SnapshotHeader>,
                                       [&](schema::SnapshotHeader::Builder to) {
                                         to.setApplied(header.applied.value());
                                         to.setCurrent(header.current.value());
                                         to.setCompacted(header.compacted.value());
                                         to.setContentHash(header.content_hash);
                                       });
}

decoded<kv::snapshot_header> decode_snapshot_header(std::span<const std::byte> block) {
  return decode_segment<schema::SnapshotHeader>(block, nesting_max, [](schema::SnapshotHeader::Reader from) {
    return kv::snapshot_header{.applied = number<log_index>(from.getApplied()),
                               .current = number<revision>(from.getCurrent()),
                               .compacted = number<revision>(from.getCompacted()),
                               .content_hash = from.getContentHash()};
  });
}

void encode_snapshot_records(byte_buffer& out, std::span<const kv::record_view> records) {
  std::size_t words = root_words<schema::SnapshotRecords> + list_words<schema::SnapshotRecord>(records.size());
  for (const kv::record_view& r : records) words += data_words(r.key.size()) + data_words(r.value.size());
  append_block<schema::SnapshotRecords>(out, words, [&](schema::SnapshotRecords::Builder to) {
    auto list = to.initRecords(static_cast<unsigned>(records.size()));
    for (unsigned i = 0; i < list.size(); ++i) fill_record(list[i], records[i]);
  });
}

decoded<void> decode_snapshot_records(std::span<const std::byte> block, std::vector<kv::record_view>& out) {
  out.clear();
  return decode_segment<schema::SnapshotRecords>(block, nesting_max, [&](schema::SnapshotRecords::Reader from) {
    const auto list = from.getRecords();
    require(list.size() <= block.size() / word_bytes, codec_errc::count, "a block has more records than fit it");
    out.reserve(list.size());
    for (const schema::SnapshotRecord::Reader r : list) out.push_back(read_record(r));
  });
}

} // namespace quorumd::wire
