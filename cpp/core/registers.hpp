// Pieces of a vector of factors that fit vector registers: what the kernels compute with.
#pragma once

#include <Eigen/Core>

#include "types.hpp"

namespace sparsefm {

/// `width` neighbouring factors of one feature, held in registers.
template <class Real, int width>
using Lanes = Eigen::Array<Real, width, 1>;

/// Calls `body.operator()<L>(first)` for consecutive pieces of the factors [0, width), each the
/// size of its L. For a width that is no multiple of 4 the last few come one by one.
template <class Real, class Body>
void for_lanes(Index width, const Body& body) {
  Index f = 0;
  for (; f + 16 <= width; f += 16) body.template operator()<Lanes<Real, 16>>(f);
  for (; f + 8 <= width; f += 8) body.template operator()<Lanes<Real, 8>>(f);
  for (; f + 4 <= width; f += 4) body.template operator()<Lanes<Real, 4>>(f);
  for (; f < width; ++f) body.template operator()<Lanes<Real, 1>>(f);
}

}  // namespace sparsefm
