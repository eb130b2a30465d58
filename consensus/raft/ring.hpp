#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace quorumd::raft {

/// A queue with access by position that grows by doubling and never gives memory back, so that a steady stream
/// through it allocates nothing. Positions count from the front. Pop and clear destroy nothing but reset the slot,
/// so that what it held is released at once.
template <class T>
class ring {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const T& operator[](std::size_t i) const { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  [[nodiscard]] T& operator[](std::size_t i) { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  [[nodiscard]] const T& front() const { return (*this)[0]; }
  [[nodiscard]] const T& back() const { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == slots_.size()) grow();
    slots_[(head_ + size_) & (slots_.size() - 1)] = std::move(value);
    ++size_;
  }
  void pop_front() {
    slots_[head_] = T{};
    head_ = (head_ + 1) & (slots_.size() - 1);
    --size_;
  }
  void pop_back() {
    --size_;
    slots_[(head_ + size_) & (slots_.size() - 1)] = T{};
  }
  void clear() {
    while (size_ != 0) pop_back();
    head_ = 0;
  }

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? 16 : slots_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move(slots_[(head_ + i) & (slots_.size() - 1)]);
    slots_.swap(larger);
    head_ = 0;
  }

  std::vector<T> slots_; // as many as a power of two
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

} // namespace quorumd::raft
