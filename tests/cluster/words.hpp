#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace quorumd::testing {

/// A word and what is stored under it.
struct word {
  std::string key;
  std::string value;
};

/// So many different words, always the same.
[[nodiscard]] std::vector<word> make_words(std::size_t count, std::size_t first = 0);
/// Lines as `quorumd import` reads and `quorumd export` prints them.
[[nodiscard]] std::string to_lines(const std::vector<word>& words, std::size_t from = 0,
                                   std::size_t to = std::size_t(-1));
/// The words, of those given, that are missing in what an export printed, or have another value there: at most ten.
[[nodiscard]] std::vector<std::string> missing(const std::vector<word>& words, const std::string& exported);
/// How many lines it has.
[[nodiscard]] std::size_t lines_of(const std::string& text);

} // namespace quorumd::testing
