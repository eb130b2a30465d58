#include "tests/cluster/words.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace quorumd::testing {
namespace {

constexpr std::array<std::string_view, 16> syllables{"ba", "co", "du", "fe", "gi",  "ha", "jo", "ku",
                                                     "le", "mi", "na", "po", "qua", "ro", "su", "ti"};
constexpr std::size_t told_max = 10;

} // namespace

std::vector<word> make_words(std::size_t count, std::size_t first) {
  std::vector<word> words;
  words.reserve(count);
  for (std::size_t i = first; i < first + count; ++i) {
    // An odd factor permutes the numbers below 2^24, so that no two words are the same and they come in no order.
    const std::uint32_t mixed = static_cast<std::uint32_t>(i * 9176263U) & 0xffffffU;
    word w;
    for (unsigned shift = 0; shift < 24; shift += 4) w.key += syllables[(mixed >> shift) & 15U];
    w.value = "the word number " + std::to_string(i) + " is " + w.key;
    words.push_back(std::move(w));
  }
  return words;
}

std::string to_lines(const std::vector<word>& words, std::size_t from, std::size_t to) {
  std::string lines;
  for (std::size_t i = from; i < std::min(to, words.size()); ++i) lines += words[i].key + "\t" + words[i].value + "\n";
  return lines;
}

std::vector<std::string> missing(const std::vector<word>& words, const std::string& exported) {
  std::unordered_map<std::string_view, std::string_view> found;
  for (std::string_view rest = exported; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size() - 1);
    const std::string_view line = rest.substr(0, end);
    const std::size_t tab = std::min(line.find('\t'), line.size());
    found.emplace(line.substr(0, tab), line.substr(std::min(tab + 1, line.size())));
    rest.remove_prefix(end + 1);
  }
  std::vector<std::string> out;
  for (const word& w : words) {
    const auto it = found.find(w.key);
    if (it == found.end())
      out.push_back(w.key + " is missing");
    else if (it->second != w.value)
      out.push_back(w.key + " is " + std::string(it->second));
    if (out.size() == told_max) break;
  }
  return out;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

} // namespace quorumd::testing
