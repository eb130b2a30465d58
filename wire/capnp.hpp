#pragma once

// The one way to Cap'n Proto in this project: its headers as of 0.9.2 do not compile in C++20, which takes the place
// of the comparisons below but does not find them where they are needed. The generated headers come after this one.
#include <kj/string.h>

namespace kj {
// Not `b == a`: that would be this very function with its parameters reversed.
inline bool operator==(const char* a, const StringPtr& b) {
  return b == StringPtr(a);
}
inline bool operator!=(const char* a, const StringPtr& b) {
  return !(b == StringPtr(a));
}
} // namespace kj

#include <capnp/message.h>
#include <kj/exception.h>
