// A model of several classes in training: its parameters and the optimizer's moments.
#pragma once

#include "../data/csr_view.hpp"

namespace sparsefm {

/// The parameters of a feature are adjacent in memory: its weights for all classes, then its
/// factors, which all classes share. `class_width` and `width` are multiples of 8, so that both are
/// whole registers; parameters beyond the classes and the rank are zero, but the biases there are
/// minus infinity, so that nothing is of such a class.
template <class Real>
struct ClassStateView {
  Real* bias_block;      // (1 + moments, class_width)                    w0 of each class
  Real* vector_blocks;   // (classes, 1 + moments, width)                 u_c
  Real* feature_blocks;  // (features, 1 + moments, class_width + width)  w_i of each class, v_i
  Index features;
  Index classes;
  Index class_width;
  Index width;
  int moments;  // number of moments of each parameter

  Index stride() const noexcept { return class_width + width; }
  Real* of_feature(Index i) const noexcept { return feature_blocks + i * (1 + moments) * stride(); }
  Real* vector(Index c) const noexcept { return vector_blocks + c * (1 + moments) * width; }

  /// Asks for the cache lines that an update of feature i will touch.
  void prefetch_update(Index i) const noexcept { prefetch_reals(i, (1 + moments) * stride()); }

  /// Asks for the cache lines that the scores of a row will touch.
  template <class Values>
  void prefetch(const CsrRow<Values>& row) const noexcept {
    for (Index p = 0; p < row.size; ++p) prefetch_reals(row.features[p], stride());
  }

 private:
  void prefetch_reals(Index i, Index reals) const noexcept {
    for (Index f = 0; f < reals; f += cache_line / Index{sizeof(Real)}) {
      sparsefm::prefetch(of_feature(i) + f);
    }
  }
};

}  // namespace sparsefm
