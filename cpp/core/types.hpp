// The integer types of the core and the Eigen types that its kernels compute with.
#pragma once

#include <Eigen/Core>
#include <cstdint>

namespace sparsefm {

using Index = std::int64_t;    // counts and positions: more than 2^31 non-zeros are ordinary
using Feature = std::int32_t;  // a column of X: half the memory traffic of an Index

constexpr Index cache_line = 64;  // bytes

/// Asks for the cache line at `address`, which will be needed soon.
inline void prefetch(const void* address) noexcept {
#if defined(__GNUC__)
  __builtin_prefetch(address);
  // GCC takes a function that does nothing but prefetch for one without effect, and drops it.
  asm volatile("");
#else
  static_cast<void>(address);
#endif
}

/// `width` neighbouring factors of one feature, held in registers.
template <class Real, int width>
using Lanes = Eigen::Array<Real, width, 1>;

/// Calls `body.operator()<L>(first)` for consecutive pieces of the factors [0, rank), each the size
/// of its L. For a rank that is no multiple of 4 the last few come one by one.
template <class Real, class Body>
void for_lanes(Index rank, const Body& body) {
  Index f = 0;
  for (; f + 16 <= rank; f += 16) body.template operator()<Lanes<Real, 16>>(f);
  for (; f + 8 <= rank; f += 8) body.template operator()<Lanes<Real, 8>>(f);
  for (; f + 4 <= rank; f += 4) body.template operator()<Lanes<Real, 4>>(f);
  for (; f < rank; ++f) body.template operator()<Lanes<Real, 1>>(f);
}

}  // namespace sparsefm
