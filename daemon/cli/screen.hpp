#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace quorumd::cli {

/// The whole terminal, for as long as this object lives: the alternate screen, no cursor, keys unechoed. It is given
/// back as it was whatever happens: at the end, at a signal that ends the process (a crash among them), while it is
/// stopped (^Z) and taken again when it goes on. One at a time.
class screen {
 public:
  screen();
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;
  ~screen();

  struct size {
    std::size_t columns = 80;
    std::size_t rows = 24;
  };
  [[nodiscard]] size measure() const;
  /// Draws the lines, cropped to the screen. False: nobody is there to see it.
  [[nodiscard]] bool draw(const std::vector<std::string>& lines);
  /// Whether it must be drawn again: its size changed, or it was away.
  [[nodiscard]] bool stale();
  /// A key that was pressed since the last time; 0: none. Never waits.
  [[nodiscard]] char key();
};

} // namespace quorumd::cli
