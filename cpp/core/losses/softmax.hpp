// The loss of several classes: L(y, s) = log sum_c exp(s_c) - s_y,  dL/ds_c = p_c - [c = y] with
// p_c = exp(s_c - max s) / sum_b exp(s_b - max s), which never overflows.
#pragma once

#include <algorithm>
#include <cmath>

#include "../types.hpp"

namespace sparsefm {

/// Turns the scores of a row into slopes and returns its loss.
template <class Real>
Real softmax(Real* scores, Index classes, Index y) noexcept {
  const Real largest = *std::max_element(scores, scores + classes);
  const Real margin = largest - scores[y];
  Real others = 0;  // without class y: neither log p_y nor p_y - 1 has cancellation then
  for (Index c = 0; c < classes; ++c) {
    scores[c] = std::exp(scores[c] - largest);
    if (c != y) others += scores[c];
  }
  const Real own = scores[y], total = own + others;
  for (Index c = 0; c < classes; ++c) scores[c] /= total;
  scores[y] = -others / total;
  return own == 1 ? std::log1p(others) : margin + std::log(total);
}

}  // namespace sparsefm
