#include "consensus/storage/segment_reader.hpp"

#include <algorithm>

namespace quorumd::storage {
namespace {

constexpr std::size_t window_bytes_min = std::size_t{256} * 1024;

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

} // namespace

result<std::unique_ptr<segment_reader>> segment_reader::open(file_system& fs, const std::string& path) {
  result<std::unique_ptr<file>> f = fs.open(path, file_system::mode::read);
  if (!f) return f.error();
  const result<std::uint64_t> bytes = (*f)->size();
  if (!bytes) return bytes.error();
  std::unique_ptr<segment_reader> r(new segment_reader(std::move(*f), *bytes));
  const result<std::span<const std::byte>> block = r->view(0, block_bytes);
  if (!block) return block.error();
  r->header_ = parse_segment_header(*block);
  return r;
}

result<std::span<const std::byte>> segment_reader::view(std::uint64_t offset, std::size_t bytes) {
  if (offset >= bytes_) return std::span<const std::byte>();
  const std::size_t there = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, bytes_ - offset));
  if (offset < window_at_ || offset + there > window_at_ + window_bytes_) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(std::max(there, window_bytes_min), bytes_ - offset));
    if (window_.size() < wanted) window_.resize(wanted);
    const result<void> got = read_exactly(*file_, offset, std::span(window_).first(wanted));
    if (!got) return got.error();
    window_at_ = offset;
    window_bytes_ = wanted;
  }
  return std::span<const std::byte>(window_).subspan(static_cast<std::size_t>(offset - window_at_), there);
}

result<segment_reader::batch> segment_reader::read(std::uint64_t offset, const expected& e) {
  batch b;
  const result<std::span<const std::byte>> head = view(offset, batch_header_bytes);
  if (!head) return head.error();
  const std::optional<batch_header> header = peek_batch_header(*head);
  if (!header) {
    b.state = all_zero(*head) ? found::nothing : found::damaged;
    b.why = head->empty()               ? "the file ends"
            : b.state == found::nothing ? "nothing was written"
                                        : "no batch begins here";
    return b;
  }
  b.header = *header;
  if (e.segment_id && header->segment_id != *e.segment_id) {
    b.state = found::stale;
    b.why = "a batch of the file's earlier life";
    return b;
  }
  b.state = found::damaged;
  b.padded = batch_bytes(header->length);
  if (b.padded > bytes_ - offset) {
    b.why = "a batch claims more bytes than the file has";
    return b;
  }
  const result<std::span<const std::byte>> all = view(offset, static_cast<std::size_t>(b.padded));
  if (!all) return all.error();
  if (e.whole && !batch_checksum_holds(*all)) {
    b.why = "the checksum of a batch does not hold";
    return b;
  }
  if (e.number && header->number != *e.number) {
    b.why = "batch " + std::to_string(header->number) + " stands where batch " + std::to_string(*e.number) + " belongs";
    return b;
  }
  b.state = found::good;
  b.records = all->subspan(batch_header_bytes, header->length);
  return b;
}

result<std::optional<std::uint64_t>> segment_reader::find_proof(std::uint64_t offset, std::uint64_t segment_id,
                                                                std::uint64_t number) {
  for (; offset < bytes_; offset += block_bytes) {
    const result<std::span<const std::byte>> head = view(offset, batch_header_bytes);
    if (!head) return head.error();
    const std::optional<batch_header> h = peek_batch_header(*head);
    if (!h || h->segment_id != segment_id || h->durable < number || h->number <= number) continue;
    const result<batch> b = read(offset, {segment_id, std::nullopt});
    if (!b) return b.error();
    if (b->state == found::good) return std::optional<std::uint64_t>(offset);
  }
  return std::optional<std::uint64_t>();
}

result<std::optional<std::uint64_t>> segment_reader::find_proof_without_header(std::optional<std::uint64_t> number) {
  const result<batch> first = read(block_bytes, {std::nullopt, number});
  if (!first) return first.error();
  if (first->state != found::good) return std::optional<std::uint64_t>();
  return find_proof(block_bytes + first->padded, first->header.segment_id, first->header.number);
}

result<std::optional<entry_header>> segment_reader::find_entry(std::uint64_t from, std::uint64_t to) {
  for (; from < std::min(to, bytes_); from += 8) { // records and entries are aligned
    const result<std::span<const std::byte>> bytes = view(from, entry_header_bytes);
    if (!bytes) return bytes.error();
    const std::optional<entry_header> h = read_entry_header(*bytes);
    if (h && h->version == entry_version && h->index.value() != 0) return h;
  }
  return std::optional<entry_header>();
}

} // namespace quorumd::storage
