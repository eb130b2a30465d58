#pragma once

#include <cstdint>

namespace quorumd::coro {

/// The seam for randomness: boot ids, incarnations, seeds of election timeouts.
class entropy {
 public:
  virtual ~entropy() = default;
  virtual std::uint64_t next() = 0;
};

/// The kernel's.
class system_entropy final : public entropy {
 public:
  std::uint64_t next() override;
};

} // namespace quorumd::coro
