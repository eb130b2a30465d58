#pragma once

#include "consensus/types/entry.hpp"
#include "daemon/client/protocol.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/leases.hpp"
#include "daemon/kv/result.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/frame.hpp"
#include "wire/peer_codec.hpp"

#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Messages drawn from a seed, and every field of a message as text, so that two can be compared whole.
namespace quorumd::testing {

using namespace wire;
using namespace client;

class sampler {
 public:
  explicit sampler(std::uint64_t seed)
      : random_(seed) {}

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  std::uint64_t number() { return below(4) == 0 ? below(10) : random_() % (number_max + 1); }
  bool coin() { return below(2) == 0; }
  std::string text(std::size_t max);
  /// Lives as long as the sampler.
  std::string_view bytes(std::size_t max);

  raft::message raft_message_of(group_id group);
  peer_message message();
  static constexpr std::size_t kinds = 20; ///< of message(); message_of(k) for each below
  peer_message message_of(std::size_t kind);
  snapshot_chunk packed_chunk();
  hello greeting();

  kv::command command(std::size_t depth = 3);
  kv::session_call session_call();
  kv::lease_record lease();
  kv::checkpoint_leases checkpoints();
  kv::range_request range();
  kv::result<kv::reply> result();
  kv::range_reply range_reply(std::size_t keys_max);
  client_request request();
  client_reply reply();
  members_reply membership();

 private:
  std::vector<entry> entries(group_id group, term from, term to, log_index after);
  snapshot_mark mark();
  std::vector<node_id> members();
  kv::put put();
  kv::delete_range delete_range();
  kv::compare compare();
  kv::txn txn(std::size_t depth);
  kv::operation operation(std::size_t depth);
  kv::key_value_view key_value();
  kv::txn_reply txn_reply(std::size_t depth);
  kv::error store_error();
  kv::settings settings();
  status_row row();
  member_spec spec();
  member_row member();
  metrics_reply report();
  shared_bytes blob(std::size_t min, std::size_t max);
  std::vector<std::byte> blob_copy(std::size_t max);

  std::mt19937_64 random_;
  std::deque<std::string> kept_;
  chunk_arena arena_;
};

std::string dump(const peer_message& m);
std::string dump(const hello& h);
std::string dump(const kv::logged_command& c);
std::string dump(const kv::range_request& r);
std::string dump(const kv::result<kv::reply>& r);
std::string dump(const kv::range_reply& r);
std::string dump(const client_request& r);
std::string dump(const client_reply& r);
std::string dump(const status_row& r);

/// Puts bytes into the reader, in pieces of at most that size, and gives the content of every frame to f.
template <class F>
void feed(frame_reader& reader, std::span<const std::byte> bytes, std::size_t piece, F f) {
  while (!bytes.empty()) {
    const std::span<std::byte> room = reader.prepare();
    const std::size_t n = std::min({room.size(), bytes.size(), piece});
    std::copy_n(bytes.begin(), n, room.begin());
    reader.commit(n);
    bytes = bytes.subspan(n);
    for (;;) {
      const auto frame = reader.next();
      if (!frame) {
        f(decoded<std::span<const std::byte>>(frame.error()));
        return;
      }
      if (!*frame) break;
      f(decoded<std::span<const std::byte>>(**frame));
    }
  }
}

/// A frame's content, on memory that is exactly as long and aligned, so that a sanitizer sees any step outside.
class exact_bytes {
 public:
  explicit exact_bytes(std::span<const std::byte> from)
      : size_(from.size())
      , words_(new std::uint64_t[(size_ + 7) / 8]) {
    std::copy(from.begin(), from.end(), reinterpret_cast<std::byte*>(words_.get()));
  }
  [[nodiscard]] std::span<std::byte> bytes() { return {reinterpret_cast<std::byte*>(words_.get()), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::uint64_t[]> words_;
};

/// The content of the one frame in the buffer.
inline std::span<const std::byte> content(const byte_buffer& b) {
  return b.bytes().subspan(frame_header_bytes);
}

} // namespace quorumd::testing
