#include "consensus/storage/file.hpp"

namespace quorumd::storage {

result<void> read_exactly(file& f, std::uint64_t offset, std::span<std::byte> into) {
  const result<std::size_t> got = f.read(offset, into);
  if (!got) return got.error();
  if (*got != into.size()) return error(error_code::corrupt, f.path(), "the file is cut short").at(offset + *got);
  return {};
}

result<std::vector<std::byte>> read_small_file(file_system& fs, const std::string& path, std::size_t bytes_max) {
  result<std::unique_ptr<file>> f = fs.open(path, file_system::mode::read);
  if (!f) return f.error();
  const result<std::uint64_t> size = (*f)->size();
  if (!size) return size.error();
  if (*size > bytes_max) return error(error_code::corrupt, path, "the file is longer than it may be").at(bytes_max);
  std::vector<std::byte> bytes(*size);
  const result<void> read = read_exactly(**f, 0, bytes);
  if (!read) return read.error();
  return bytes;
}

std::string join(const std::string& directory, const std::string& name) {
  if (directory.empty()) return name;
  return directory.back() == '/' ? directory + name : directory + '/' + name;
}

} // namespace quorumd::storage
