// The factorization machine (Rendle 2010): the weight of a pair of features is the inner product of
// their factors.
//
//   s(x) = w0 + sum_i w_i x_i + 1/2 sum_f [ S_f^2 - sum_i v_if^2 x_i^2 ],   S_f = sum_i v_if x_i
//   ds/dw0 = 1,   ds/dw_i = x_i,   ds/dv_if = x_i S_f - v_if x_i^2
//
// O(non-zeros * rank).
#pragma once

#include "interaction.hpp"

namespace sparsefm {

struct Fm {
  static constexpr bool uses_norms = true, scales_late = false, has_weights = false;

  static constexpr Index vectors() noexcept { return 1; }
  static constexpr Index of(Index) noexcept { return 0; }
  template <class L>
  static constexpr Index own(Index, Index) noexcept {
    return 1;
  }
  static constexpr void prefetch(Index) noexcept {}
  static constexpr Index sums_size(Index) noexcept { return 0; }

  template <class Pieces, class Values, class Parameters, class Real>
  static Real score(const CsrRow<Values>& row, const Parameters& theta,
                    const RowSums<Real>& out) noexcept {
    Real linear = theta.bias();
    Real pairs = 0;
    for (Index p = 0; p < row.size; ++p) {
      const Index i = row.features[p];
      const Real x = row.values[p];
      linear += x * theta.linear(i);
      if constexpr (Parameters::keeps_norms) pairs -= x * x * theta.squared_norm(i);
    }
    Pieces::visit(theta.width, [&]<class L>(Index f) {
      L sum = L::Zero();
      L squares = L::Zero();  // unused if norms are kept
      for (Index p = 0; p < row.size; ++p) {
        const L term = row.values[p] * Eigen::Map<const L>(theta.factors(row.features[p]) + f);
        sum += term;
        if constexpr (!Parameters::keeps_norms) squares += term.square();
      }
      pairs += (sum.square() - squares).sum();
      if (out.terms != nullptr) Eigen::Map<L>(out.terms + f) = sum;
    });
    return linear + pairs / 2;
  }
};

static_assert(InteractionOf<Fm, float> && InteractionOf<Fm, double>);

}  // namespace sparsefm
