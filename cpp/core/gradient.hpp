// What one feature of a batch gathers from the rows it occurs in. With e_r the slope dL/ds of row r
// (its weight included) and T_r = e_r S_r:
//
//   dw_i = sum_r e_r x_ri,    dv_i = sum_r x_ri T_r - v_i sum_r e_r x_ri^2
#pragma once

#include <algorithm>

#include "batch.hpp"

namespace sparsefm {

/// Sums of scalars are taken in double, sums of vectors in pieces: float32 would lose the last of
/// many millions.
struct FeatureSums {
  double linear = 0;  // sum_r e_r x       = dw_i
  double self = 0;    // sum_r e_r x^2     what v_i's own square adds to S, taken out again
};

template <class Real, class Values>
FeatureSums feature_sums(const Occurrences<Values>& occurrences, const Real* slopes) noexcept {
  FeatureSums sums;
  for (Index p = 0; p < occurrences.size; ++p) {
    const Real x = occurrences.values[p];
    const Real term = slopes[occurrences.rows[p]] * x;
    sums.linear += term;
    sums.self += term * x;
  }
  return sums;
}

/// sum_r x_ri T_r for some neighbouring factors; `T` points at the first of them in row 0.
template <class L, class Real, class Values>
L gathered(const Occurrences<Values>& occurrences, const Real* T, Index stride) noexcept {
  constexpr Index piece = 1024;
  L total = L::Zero();
  for (Index begin = 0; begin < occurrences.size; begin += piece) {
    const Index end = std::min(begin + piece, occurrences.size);
    L sum = L::Zero();
    for (Index p = begin; p < end; ++p) {
      sum += occurrences.values[p] * Eigen::Map<const L>(T + occurrences.rows[p] * stride);
    }
    total += sum;
  }
  return total;
}

}  // namespace sparsefm
