// The integer types of the core, and the hint that hides the latency of memory.
#pragma once

#include <cstdint>

namespace sparsefm {

using Index = std::int64_t;    // counts and positions: more than 2^31 non-zeros are ordinary
using Feature = std::int32_t;  // a column of X: half the memory traffic of an Index

constexpr Index cache_line = 64;  // bytes

/// Asks for the cache line at `address`, which will be needed soon.
inline void prefetch(const void* address) noexcept {
#if defined(__GNUC__)
  __builtin_prefetch(address);
  // GCC treats a function that only prefetches as having no effect, and drops it.
  asm volatile("");
#else
  static_cast<void>(address);
#endif
}

}  // namespace sparsefm
