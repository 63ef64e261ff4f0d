// The two shapes of a model's parameters: as users hold them, and as training needs them.
#pragma once

#include "csr_view.hpp"

namespace sparsefm {

/// A model as users see it. Rows may lie apart, so that a model in training can be read in place.
template <class Real>
struct ModelView {
  Real bias;
  const Real* linear_;   // (features,)
  const Real* factors_;  // (features, rank)
  Index linear_stride;   // from one feature to the next, in numbers
  Index factor_stride;
  Index features;
  Index rank;

  Real linear(Index i) const noexcept { return linear_[i * linear_stride]; }
  const Real* factors(Index i) const noexcept { return factors_ + i * factor_stride; }

  /// Asks for the cache lines that the score of a row will touch.
  template <class Values>
  void prefetch(const CsrRow<Values>& row) const noexcept {
    for (Index p = 0; p < row.size; ++p) {
      const Index i = row.features[p];
      sparsefm::prefetch(linear_ + i * linear_stride);
      for (Index f = 0; f < rank; f += cache_line / Index{sizeof(Real)}) {
        sparsefm::prefetch(factors(i) + f);
      }
    }
  }
};

/// A model in training. What one update touches lies side by side: an update of a feature then
/// reads and writes two runs of cache lines instead of six scattered ones.
template <class Real>
struct StateView {
  Real* bias_;     // (1 + moments,)                    w0, its moments
  Real* scalars_;  // (features, 2 + moments)           |v_i|^2, w_i, its moments
  Real* factors_;  // (features, 1 + moments, width)    v_i, its moments; zeros from rank to width
  Index features;
  Index width;  // rank, rounded up to whole registers
  int moments;  // numbers that the optimizer remembers of each parameter

  Real& squared_norm(Index i) const noexcept { return scalars_[i * (2 + moments)]; }
  Real* linear(Index i) const noexcept { return scalars_ + i * (2 + moments) + 1; }
  Real* factors(Index i) const noexcept { return factors_ + i * (1 + moments) * width; }

  /// Asks for the cache lines that reading (moments = false) or updating feature i will touch.
  void prefetch(Index i, bool with_moments) const noexcept {
    sparsefm::prefetch(scalars_ + i * (2 + moments));
    const Index reals = width * (with_moments ? 1 + moments : 1);
    for (Index f = 0; f < reals; f += cache_line / Index{sizeof(Real)}) {
      sparsefm::prefetch(factors(i) + f);
    }
  }
};

}  // namespace sparsefm
