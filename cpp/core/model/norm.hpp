// |v|^2 of a vector of factors, added up in the same order as in training.
#pragma once

#include "../registers.hpp"

namespace sparsefm {

template <class Pieces, class Real>
Real squared_norm(const Real* v, Index width) noexcept {
  Real norm = 0;
  Pieces::visit(width,
                [&]<class L>(Index f) { norm += Eigen::Map<const L>(v + f).square().sum(); });
  return norm;
}

}  // namespace sparsefm
