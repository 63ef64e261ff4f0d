// A model in the user's layout: borrowed arrays w0, w and V.
#pragma once

#include "../data/csr_view.hpp"

namespace sparsefm {

/// There may be gaps between features, so that a model in training can be read in place.
template <class Real>
struct ModelView {
  static constexpr bool keeps_norms = false;

  Real w0;
  const Real* w;   // (features,)
  const Real* V;   // (features, rank)
  Index w_stride;  // from one feature to the next, in numbers
  Index V_stride;
  Index features;
  Index width;  // the rank

  Real bias() const noexcept { return w0; }
  Real linear(Index i) const noexcept { return w[i * w_stride]; }
  const Real* factors(Index i) const noexcept { return V + i * V_stride; }

  /// Asks for the cache lines that the score of a row will touch.
  template <class Values>
  void prefetch(const CsrRow<Values>& row) const noexcept {
    for (Index p = 0; p < row.size; ++p) {
      const Index i = row.features[p];
      sparsefm::prefetch(w + i * w_stride);
      for (Index f = 0; f < width; f += cache_line / Index{sizeof(Real)}) {
        sparsefm::prefetch(factors(i) + f);
      }
    }
  }
};

}  // namespace sparsefm
