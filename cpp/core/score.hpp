// Forward pass of one row:
//
//   s(x) = w0 + sum_i w_i x_i + 1/2 sum_f [ S_f^2 - sum_i v_if^2 x_i^2 ],   S_f = sum_i v_if x_i
//
// O(non-zeros * rank). S, which the backward pass needs, is a by-product.
#pragma once

#include "csr_view.hpp"
#include "model_view.hpp"

namespace sparsefm {

/// s(x), and S in `sums` (rank,) unless that is null.
template <class Real, class Values>
Real score(const CsrRow<Values>& row, const ModelView<Real>& model, Real* sums) noexcept {
  Real linear = model.bias;
  for (Index p = 0; p < row.size; ++p) linear += row.values[p] * model.linear(row.features[p]);

  Real pairs = 0;
  for_lanes<Real>(model.rank, [&]<class L>(Index first) {
    L sum = L::Zero();
    L squares = L::Zero();
    for (Index p = 0; p < row.size; ++p) {
      const L term = row.values[p] * Eigen::Map<const L>(model.factors(row.features[p]) + first);
      sum += term;
      squares += term.square();
    }
    pairs += (sum.square() - squares).sum();
    if (sums != nullptr) Eigen::Map<L>(sums + first) = sum;
  });
  return linear + pairs / 2;
}

/// s(x) in training, and S in `sums` (width,). The cached |v_i|^2 leave one multiply-add a factor.
template <int lanes, class Real, class Values>
Real score(const CsrRow<Values>& row, const StateView<Real>& state, Real* sums) noexcept {
  using L = Lanes<Real, lanes>;
  Real linear = *state.bias_;
  Real pairs = 0;
  for (Index p = 0; p < row.size; ++p) {
    const Index i = row.features[p];
    const Real x = row.values[p];
    linear += x * *state.linear(i);
    pairs -= x * x * state.squared_norm(i);
  }
  for (Index f = 0; f < state.width; f += lanes) {
    L sum = L::Zero();
    for (Index p = 0; p < row.size; ++p) {
      sum += row.values[p] * Eigen::Map<const L>(state.factors(row.features[p]) + f);
    }
    pairs += sum.square().sum();
    Eigen::Map<L>(sums + f) = sum;
  }
  return linear + pairs / 2;
}

}  // namespace sparsefm
