#pragma once

#include "config/config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace quorumd::config {

/// The shortest file that is complete: twelve lines, of which tests replace some or add others.
inline const std::string sample = "node:\n"                             // 1
                                  "  name: n1\n"                        // 2
                                  "  data_dir: /var/lib/quorumd\n"      // 3
                                  "cluster:\n"                          // 4
                                  "  name: demo\n"                      // 5
                                  "  members:\n"                        // 6
                                  "    n1: 127.0.0.1:12380\n"           // 7
                                  "    n2: 127.0.0.1:22380\n"           // 8
                                  "listen:\n"                           // 9
                                  "  peer: 127.0.0.1:12380\n"           // 10
                                  "  client: 127.0.0.1:12379\n"         // 11
                                  "  admin: build/run/n1/admin.sock\n"; // 12

/// The sample with one text in it, which must be there, replaced by another.
inline std::string sample_with(std::string_view old_text, std::string_view new_text) {
  std::string text = sample;
  return text.replace(text.find(old_text), old_text.size(), new_text);
}

/// Every line that a text gives as a complaint; none if it is good.
inline std::vector<std::string> complaints(std::string_view text, std::vector<std::string> set = {}) {
  const auto read = parse(text, "f.yaml", set);
  std::vector<std::string> lines;
  if (read.has_error())
    for (const mistake& m : read.error().list()) lines.push_back(m.text());
  return lines;
}

using lines = std::vector<std::string>;

} // namespace quorumd::config
