#pragma once

#include "daemon/clients/etcd/methods.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace quorumd::clients::etcd {

/// How many calls of etcd's API there were, and how they ended. What is refused before it is looked at (an unknown
/// call, one for which there is no place) is none.
struct call_counts {
  static constexpr std::size_t codes = 17; ///< of gRPC

  struct of_method {
    std::uint64_t started = 0;
    std::uint64_t received = 0;               ///< messages
    std::uint64_t sent = 0;                   ///< likewise
    std::array<std::uint64_t, codes> ended{}; ///< by grpc_code
  };

  [[nodiscard]] of_method& operator[](method m) { return methods[static_cast<std::size_t>(m)]; }
  void merge(const call_counts& o) {
    for (std::size_t i = 0; i < methods.size(); ++i) {
      methods[i].started += o.methods[i].started;
      methods[i].received += o.methods[i].received;
      methods[i].sent += o.methods[i].sent;
      for (std::size_t c = 0; c < codes; ++c) methods[i].ended[c] += o.methods[i].ended[c];
    }
  }

  std::array<of_method, methods_known> methods{};
};

/// `OK`, `InvalidArgument`, …: as etcd's metrics have them.
[[nodiscard]] const char* code_name(std::size_t code);

} // namespace quorumd::clients::etcd
