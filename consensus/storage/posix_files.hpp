#pragma once

#include "consensus/storage/file.hpp"

namespace quorumd::storage {

/// The kernel's files.
class posix_files final : public file_system {
 public:
  [[nodiscard]] result<std::unique_ptr<file>> open(const std::string& path, mode m) override;
  [[nodiscard]] result<void> rename(const std::string& from, const std::string& to) override;
  [[nodiscard]] result<void> remove(const std::string& path) override;
  [[nodiscard]] result<void> sync_directory(const std::string& path) override;
  [[nodiscard]] result<std::vector<std::string>> list(const std::string& path) override;
  [[nodiscard]] result<void> make_directory(const std::string& path) override;
  [[nodiscard]] result<std::unique_ptr<file_lock>> lock(const std::string& path) override;
  [[nodiscard]] result<std::uint64_t> free_bytes(const std::string& path) override;
};

} // namespace quorumd::storage
