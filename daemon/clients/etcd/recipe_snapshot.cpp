#include "consensus/storage/snapshot_file.hpp"
#include "consensus/types/little_endian.hpp"
#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/recipe.hpp"
#include "daemon/clients/etcd/requests.hpp"
#include "daemon/node/group.hpp"

#include "rpc.pb.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <utility>

/// etcd's Snapshot: a copy of the member's newest snapshot that holds all that was acknowledged before.
namespace quorumd::clients::etcd {
namespace {

/// A message at most: etcd's clients take no more than 4 MiB.
constexpr std::size_t blob_bytes = std::size_t{256} * 1024;
constexpr auto ask_again_after = std::chrono::milliseconds(200);
/// So long the member may fail to take one.
constexpr auto snapshot_patience = std::chrono::seconds(15);

class sha256 {
 public:
  sha256() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  [[nodiscard]] std::string digest() {
    std::string out(storage::snapshot_digest_bytes, '\0');
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr);
    return out;
  }

 private:
  struct deleter {
    void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
  };
  std::unique_ptr<EVP_MD_CTX, deleter> context_{EVP_MD_CTX_new()};
};

/// What a step of it is answered with, between the loops.
struct piece_of_snapshot {
  std::uint64_t handle = 0;
  std::uint64_t index = 0;
  std::uint64_t total = 0;
  std::string_view note{};
  std::string_view bytes{};
};
constexpr std::size_t piece_head_bytes = 4 * sizeof(std::uint64_t);

std::size_t append_piece(wire::byte_buffer& out, const client::snapshot_reply& r) {
  std::byte* const at = out.prepare(piece_head_bytes);
  store_le(at, r.handle);
  store_le(at + 8, r.index.value());
  store_le(at + 16, r.total);
  store_le(at + 24, static_cast<std::uint64_t>(r.note.size()));
  out.commit(piece_head_bytes);
  for (const std::string_view text : {std::string_view(r.note), std::string_view(r.bytes)})
    out.append(std::as_bytes(std::span(text)));
  return piece_head_bytes + r.note.size() + r.bytes.size();
}

piece_of_snapshot piece_in(std::string_view answer) {
  answer.remove_prefix(prefix_bytes);
  const auto* const at = reinterpret_cast<const std::byte*>(answer.data());
  const auto note = static_cast<std::size_t>(load_le<std::uint64_t>(at + 24));
  return {.handle = load_le<std::uint64_t>(at),
          .index = load_le<std::uint64_t>(at + 8),
          .total = load_le<std::uint64_t>(at + 16),
          .note = answer.substr(piece_head_bytes, note),
          .bytes = answer.substr(piece_head_bytes + note)};
}

} // namespace

coro::task<bool> recipe::ask_snapshot(client::snapshot_request r) {
  answer_.reset();
  asks_.call(static_cast<std::uint64_t>(id_), slot_of(method::step), 0, false,
             [&asks = asks_, r](node::group& g, const node::reply_to& to) {
               g.copies().ask(r, [&asks, &g, to](const node::snapshot_answer& a) {
                 asks.reply(g, to, [&](wire::byte_buffer& b) {
                   if (a.error != wire::request_errc::none) return stage_end(b, to.id, status_of(a.error, a.text));
                   stage_message(b, staged_kind::answer, to.id,
                                 [&](wire::byte_buffer& into) { return append_piece(into, a.reply); });
                 });
               });
             });
  const bool good = co_await answered();
  co_return good;
}

coro::task<bool> recipe::say_blob(std::string_view bytes, std::uint64_t remaining) {
  while (!bytes.empty()) {
    const bool reads = co_await room();
    if (!reads) co_return false;
    const std::string_view part = bytes.substr(0, blob_bytes);
    bytes.remove_prefix(part.size());
    etcdserverpb::SnapshotResponse r;
    r.set_blob(part.data(), part.size());
    r.set_remaining_bytes(remaining + bytes.size());
    say(r);
  }
  co_return true;
}

coro::task<void> recipe::copy_snapshot(const etcdserverpb::SnapshotRequest&) {
  // A snapshot has to hold what this member knows once it has heard the leader.
  const client::range_read any = health_read();
  read(any.request);
  const bool heard = co_await answered();
  if (!heard) co_return;
  piece_of_snapshot opened;
  const coro::time_point began = asks_.loop().now();
  for (log_index wanted; opened.handle == 0; wanted = log_index(opened.index)) {
    const bool asked = co_await ask_snapshot({.handle = 0, .offset = 0, .at_least = wanted});
    if (!asked) co_return;
    opened = piece_in(*answer_);
    if (opened.handle != 0) break;
    if (!opened.note.empty() && asks_.loop().now() - began > snapshot_patience)
      co_return fail(
          {grpc_code::unavailable, "etcdserver: the member cannot take a snapshot: " + std::string(opened.note)});
    const bool goes_on = co_await pause(ask_again_after);
    if (!goes_on) co_return;
  }
  const std::uint64_t handle = opened.handle;
  const std::uint64_t total = opened.total;
  const std::vector<std::byte> trailer = storage::snapshot_trailer(total);
  const std::string_view padding(reinterpret_cast<const char*>(trailer.data()), trailer.size());
  sha256 sum;
  for (std::uint64_t sent = 0; sent < total;) {
    const bool asked = co_await ask_snapshot({.handle = handle, .offset = sent, .at_least = {}});
    if (!asked) co_return;
    const std::string answer = std::move(*answer_);
    const piece_of_snapshot piece = piece_in(answer);
    if (piece.bytes.empty() || piece.total != total)
      co_return fail({grpc_code::unavailable, "etcdserver: the snapshot ends before its end"});
    sent += piece.bytes.size();
    sum.add(piece.bytes);
    const bool goes_on = co_await say_blob(piece.bytes, total - sent + padding.size() + storage::snapshot_digest_bytes);
    if (!goes_on) co_return;
  }
  sum.add(padding);
  const bool padded = co_await say_blob(padding, storage::snapshot_digest_bytes);
  if (!padded) co_return;
  etcdserverpb::SnapshotResponse last;
  last.set_blob(sum.digest());
  finish(last);
}

} // namespace quorumd::clients::etcd
