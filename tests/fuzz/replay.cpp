// Runs a target without libFuzzer: over each seed, and over so many copies of it that are changed here and there. The
// same changes each time. `X_fuzz DIRECTORY|FILE… [--changes N]`
#include "tests/sim/prng.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using quorumd::sim::prng;
using bytes = std::vector<std::uint8_t>;

bytes read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void change(bytes& b, const std::vector<bytes>& all, prng& random) {
  const std::size_t at = b.empty() ? 0 : random.below(b.size());
  switch (random.below(6)) {
  case 0:
    if (!b.empty()) b[at] ^= static_cast<std::uint8_t>(1U << random.below(8));
    break;
  case 1:
    if (!b.empty()) b[at] = static_cast<std::uint8_t>(random.next());
    break;
  case 2:
    b.insert(b.begin() + static_cast<std::ptrdiff_t>(at), 1 + random.below(8),
             static_cast<std::uint8_t>(random.next()));
    break;
  case 3:
    b.erase(b.begin() + static_cast<std::ptrdiff_t>(at),
            b.begin() + static_cast<std::ptrdiff_t>(std::min(b.size(), at + 1 + random.below(16))));
    break;
  case 4: { // numbers at their ends
    constexpr std::uint64_t ends[] = {0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, ~std::uint64_t{0}};
    const std::uint64_t end = ends[random.below(std::size(ends))];
    const std::size_t n = std::min<std::size_t>(b.size() - at, std::size_t{1} << random.below(4));
    if (n != 0) std::memcpy(b.data() + at, &end, n);
    break;
  }
  default: { // the rest of another
    const bytes& other = all[random.below(all.size())];
    b.resize(at);
    b.insert(b.end(), other.begin() + static_cast<std::ptrdiff_t>(std::min(at, other.size())), other.end());
    break;
  }
  }
}

} // namespace

int main(int argc, char** argv) {
  std::vector<bytes> seeds;
  std::uint64_t changes = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--changes" && i + 1 < argc) {
      changes = std::strtoull(argv[++i], nullptr, 10);
      continue;
    }
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(argv[i]))
      for (const auto& f : std::filesystem::directory_iterator(argv[i])) files.push_back(f.path());
    else
      files.emplace_back(argv[i]);
    std::sort(files.begin(), files.end());
    for (const auto& f : files) seeds.push_back(read(f));
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seeds in the directories that were named\n", argv[0]);
    return 1;
  }
  std::uint64_t runs = 0;
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    (void)LLVMFuzzerTestOneInput(seeds[i].data(), seeds[i].size());
    ++runs;
    prng random(i + 1);
    for (std::uint64_t n = 0; n < changes; ++n, ++runs) {
      bytes b = seeds[i];
      for (std::uint64_t k = 1 + random.below(4); k > 0; --k) change(b, seeds, random);
      (void)LLVMFuzzerTestOneInput(b.data(), b.size());
    }
  }
  std::printf("%llu runs of %zu seeds\n", static_cast<unsigned long long>(runs), seeds.size());
  return 0;
}
