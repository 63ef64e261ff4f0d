// A model in training: its parameters and the optimizer's moments.
#pragma once

#include "../data/csr_view.hpp"

namespace sparsefm {

/// What one update touches is adjacent in memory: an update of a feature then reads and writes two
/// runs of cache lines instead of six.
template <class Real>
struct StateView {
  static constexpr bool keeps_norms = true;  // |v_i|^2, ready for the next score

  Real* bias_block;     // (1 + moments,)                    w0, its moments
  Real* scalar_blocks;  // (features, 2 + moments)           |v_i|^2, w_i, its moments
  Real* factor_blocks;  // (features, 1 + moments, width)    v_i, its moments
  Index features;
  Index width;  // rank, rounded up to whole registers; v_i is zero from rank to width
  int moments;  // number of moments of each parameter

  Real bias() const noexcept { return *bias_block; }
  Real& squared_norm(Index i) const noexcept { return scalar_blocks[i * (2 + moments)]; }
  Real* linear_block(Index i) const noexcept { return scalar_blocks + i * (2 + moments) + 1; }
  Real linear(Index i) const noexcept { return *linear_block(i); }
  Real* factors(Index i) const noexcept { return factor_blocks + i * (1 + moments) * width; }

  /// Asks for the cache lines that an update of feature i will touch.
  void prefetch_update(Index i) const noexcept { prefetch_reals(i, (1 + moments) * width); }

  /// Asks for the cache lines that the score of a row will touch.
  template <class Values>
  void prefetch(const CsrRow<Values>& row) const noexcept {
    for (Index p = 0; p < row.size; ++p) prefetch_reals(row.features[p], width);
  }

 private:
  void prefetch_reals(Index i, Index reals) const noexcept {
    sparsefm::prefetch(scalar_blocks + i * (2 + moments));
    for (Index f = 0; f < reals; f += cache_line / Index{sizeof(Real)}) {
      sparsefm::prefetch(factors(i) + f);
    }
  }
};

/// Recomputes |v_i|^2 of `count` features, or of all if `features` is null.
template <class Real>
void refresh_norms(const StateView<Real>& state, const Index* features, Index count) noexcept;

extern template void refresh_norms(const StateView<float>&, const Index*, Index) noexcept;
extern template void refresh_norms(const StateView<double>&, const Index*, Index) noexcept;

}  // namespace sparsefm
