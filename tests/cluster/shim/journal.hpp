#pragma once

#include <cstdint>

/// What the preload library notes of every change that a power cut could undo, and power_cut() reads. A file is known
/// by a number under which a hard link to it lies beside the journal, so that it is found wherever it was renamed to.
namespace quorumd::testing::shim {

inline constexpr char journal_name[] = "journal";
inline constexpr std::uint32_t record_magic = 0x51534a31;

inline constexpr char variable_data[] = "POWER_SHIM_DATA"; ///< changes below this directory are noted
inline constexpr char variable_side[] = "POWER_SHIM_SIDE"; ///< where the journal and the links are kept
/// At which moment the process ends, by SIGKILL: `WHAT PART COUNT`, the so-manieth time that this happens to a path
/// with that part in it, once `armed` lies beside the journal. WHAT is written, syncing, synced, created, renamed (to
/// the path) or removed.
inline constexpr char variable_moment[] = "POWER_SHIM_MOMENT";
inline constexpr char armed_name[] = "armed";
inline constexpr char variable_lie[] = "POWER_SHIM_LIE"; ///< set: syncs succeed and make nothing durable

enum class change : std::uint32_t {
  contents = 1,     ///< a write or a cut: the old bytes at the offset, and the old size
  created = 2,      ///< a name
  renamed = 3,      ///< two names; `file` is what the second one replaced, or 0
  removed = 4,      ///< a name; `file` is what it named
  synced = 5,       ///< the file's changes up to `sequence` are durable
  synced_names = 6, ///< those of the directory's names are
};

/// Followed by the bytes and the two names.
struct record {
  std::uint32_t magic = record_magic;
  change what = change::contents;
  std::uint64_t sequence = 0;
  std::uint64_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;   ///< of the old bytes
  std::uint64_t old_size = 0; ///< of the file
  std::uint32_t zeros = 0;    ///< 1: the old bytes are all zero and are left out
  std::uint32_t name_bytes = 0;
  std::uint32_t other_bytes = 0;
  std::uint32_t reserved = 0;
};

} // namespace quorumd::testing::shim
