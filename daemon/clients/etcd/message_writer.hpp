#pragma once

#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace quorumd::clients::etcd {

/// Writes a protobuf message straight from views, without building it first: `f` says the fields to a sink, and is
/// called twice, to count the bytes and to write them. It must say the same both times. Fields that have their default
/// are left out, as proto3 does.
class message_writer {
 public:
  /// Appends the message; how many bytes that are.
  template <class F>
  std::size_t append(wire::byte_buffer& out, F f) {
    sizes_.clear();
    counter c{sizes_};
    f(c);
    std::byte* const at = out.prepare(c.bytes_);
    writer w{at, sizes_};
    f(w);
    out.commit(c.bytes_);
    return c.bytes_;
  }

 private:
  static constexpr std::uint32_t kind_varint = 0;
  static constexpr std::uint32_t kind_bytes = 2;
  static constexpr std::size_t varint_bytes(std::uint64_t v) {
    std::size_t n = 1;
    while (v >= 0x80) {
      v >>= 7;
      ++n;
    }
    return n;
  }
  static constexpr std::size_t tag_bytes(std::uint32_t field) { return varint_bytes(std::uint64_t{field} << 3); }

  struct counter {
    std::vector<std::uint32_t>& sizes;
    std::size_t bytes_ = 0;

    void number(std::uint32_t field, std::uint64_t v) {
      if (v != 0) bytes_ += tag_bytes(field) + varint_bytes(v);
    }
    void bytes(std::uint32_t field, std::string_view v) {
      if (!v.empty()) bytes_ += tag_bytes(field) + varint_bytes(v.size()) + v.size();
    }
    /// Fields that were written before.
    void fields(std::span<const std::byte> v) { bytes_ += v.size(); }
    /// Written though it be empty.
    template <class F>
    void message(std::uint32_t field, F f) {
      const std::size_t place = sizes.size();
      sizes.push_back(0);
      const std::size_t before = bytes_;
      f(*this);
      const std::size_t size = bytes_ - before;
      sizes[place] = static_cast<std::uint32_t>(size);
      bytes_ += tag_bytes(field) + varint_bytes(size);
    }
  };

  struct writer {
    std::byte* at;
    const std::vector<std::uint32_t>& sizes;
    std::size_t next = 0;

    void number(std::uint32_t field, std::uint64_t v) {
      if (v == 0) return;
      tag(field, kind_varint);
      varint(v);
    }
    void bytes(std::uint32_t field, std::string_view v) {
      if (v.empty()) return;
      tag(field, kind_bytes);
      varint(v.size());
      std::memcpy(at, v.data(), v.size());
      at += v.size();
    }
    void fields(std::span<const std::byte> v) {
      if (v.empty()) return;
      std::memcpy(at, v.data(), v.size());
      at += v.size();
    }
    template <class F>
    void message(std::uint32_t field, F f) {
      tag(field, kind_bytes);
      varint(sizes[next++]);
      f(*this);
    }
    void tag(std::uint32_t field, std::uint32_t kind) { varint(std::uint64_t{field} << 3 | kind); }
    void varint(std::uint64_t v) {
      while (v >= 0x80) {
        *at++ = static_cast<std::byte>(v | 0x80);
        v >>= 7;
      }
      *at++ = static_cast<std::byte>(v);
    }
  };

  std::vector<std::uint32_t> sizes_; ///< of the messages within, outer before inner, in order
};

} // namespace quorumd::clients::etcd
