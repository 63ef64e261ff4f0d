// Losses as inline scalar functions of (target, score), the link fused in for stability: finite for
// every finite score. `slope` is dL/ds. Targets of the classification losses are 0 or 1.
#pragma once

#include <algorithm>
#include <cmath>

#include "types.hpp"

namespace sparsefm {

struct Squared {
  template <class Real>
  static Real value(Real y, Real s) noexcept {
    return Real(0.5) * (s - y) * (s - y);
  }
  template <class Real>
  static Real slope(Real y, Real s) noexcept {
    return s - y;
  }
};

struct Logistic {
  /// softplus(-z), z = (2y - 1) s, as max(-z, 0) + log(1 + exp(-|z|)): exp never overflows.
  template <class Real>
  static Real value(Real y, Real s) noexcept {
    const Real z = (2 * y - 1) * s;
    return std::max(-z, Real(0)) + std::log1p(std::exp(-std::abs(z)));
  }
  /// sigmoid(s) - y = -(2y - 1) sigmoid(-z): no cancellation when the score is right.
  template <class Real>
  static Real slope(Real y, Real s) noexcept {
    const Real sign = 2 * y - 1;
    const Real z = sign * s;
    const Real decay = std::exp(-std::abs(z));
    return -sign * (z >= 0 ? decay : Real(1)) / (1 + decay);
  }
};

struct Hinge {
  template <class Real>
  static Real value(Real y, Real s) noexcept {
    return std::max(Real(0), 1 - (2 * y - 1) * s);
  }
  template <class Real>
  static Real slope(Real y, Real s) noexcept {
    const Real sign = 2 * y - 1;
    return sign * s < 1 ? -sign : Real(0);
  }
};

/// A loss over rows, chosen once per call; per row there is nothing left to choose.
template <class Real>
struct LossKernel {
  /// values[r] = L(y_r, s_r)
  void (*values)(Index rows, const Real* targets, const Real* scores, Real* values);
  /// slopes[r] = dL/ds(y_r, s_r)
  void (*slopes)(Index rows, const Real* targets, const Real* scores, Real* slopes);
};

template <class Loss, class Real>
constexpr LossKernel<Real> loss_kernel() noexcept {
  return {
      [](Index rows, const Real* y, const Real* s, Real* out) {
        for (Index r = 0; r < rows; ++r) out[r] = Loss::value(y[r], s[r]);
      },
      [](Index rows, const Real* y, const Real* s, Real* out) {
        for (Index r = 0; r < rows; ++r) out[r] = Loss::slope(y[r], s[r]);
      },
  };
}

}  // namespace sparsefm
