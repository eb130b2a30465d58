#pragma once

#include <cstdint>
#include <string>

namespace quorumd::testing::shim {

/// What a power cut took.
struct loss {
  std::uint64_t writes = 0; ///< whole or in part
  std::uint64_t names = 0;  ///< creations, renames and removals
};

/// The power is cut: undoes, from the journal in that directory, every change of the dead process that no sync made
/// durable. With a seed other than 0 of each write an arbitrary part of the 512-byte sectors had reached the disk, and
/// of the changes of names in a directory the first few.
loss power_cut(const std::string& side, std::uint64_t seed);

} // namespace quorumd::testing::shim
