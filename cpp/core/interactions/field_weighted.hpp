// The field-weighted factorization machine (Pan et al. 2018): pairs of fields have weights. With
// f(i) the field of feature i, and r symmetric,
//
//   s(x) = w0 + sum_i w_i x_i + sum_{i<j} r_f(i)f(j) <v_i, v_j> x_i x_j
//        = w0 + sum_i w_i x_i + 1/2 sum_a [ <S_a, T_a> - r_aa N_a ]
//   S_a = sum_{i in a} v_i x_i,   N_a = sum_{i in a} |v_i|^2 x_i^2,   T_a = sum_b r_ab S_b
//
//   ds/dv_i  = x_i T_a - r_aa v_i x_i^2   with a = f(i)
//   ds/dr_ab = <S_a, S_b> for a != b,   ds/dr_aa = (|S_a|^2 - N_a) / 2
//
// O(non-zeros * rank + fields^2 * rank) a row.
#pragma once

#include <algorithm>

#include "../model/field_pairs.hpp"
#include "interaction.hpp"

namespace sparsefm {

/// Some rows with their S and N, and slopes.
template <class Real>
struct SummedRows {
  const Real* sums;
  const Real* e;
  Index size, width, stride;

  const Real* of(Index r) const noexcept { return sums + r * stride; }
};

template <class Real>
class FieldWeighted {
 public:
  static constexpr bool uses_norms = true, scales_late = false, has_weights = true;

  explicit FieldWeighted(const FieldPairs<Real>& pairs) noexcept : pairs_(pairs) {}

  Index vectors() const noexcept { return pairs_.fields; }
  Index of(Index i) const noexcept { return pairs_.field_of[i]; }
  template <class L>
  Real own(Index i, Index) const noexcept {
    return pairs_.weight(of(i), of(i));
  }

  void prefetch(Index i) const noexcept { sparsefm::prefetch(pairs_.field_of + i); }

  /// S and N of a row.
  Index sums_size(Index width) const noexcept {
    constexpr Index line = cache_line / Index{sizeof(Real)};
    return (pairs_.fields * (width + 1) + line - 1) / line * line;
  }

  template <class Pieces, class Values, class Parameters>
  Real score(const CsrRow<Values>& row, const Parameters& theta,
             const RowSums<Real>& out) const noexcept {
    const Index width = theta.width, fields = pairs_.fields;
    Real *const S = out.sums, *const N = S + fields * width;
    std::fill_n(S, fields * (width + 1), Real{0});
    Real linear = theta.bias();
    for (Index p = 0; p < row.size; ++p) {
      const Index i = row.features[p], a = of(i);
      const Real x = row.values[p];
      linear += x * theta.linear(i);
      Real squares = 0;
      Pieces::visit(width, [&]<class L>(Index f) {
        const L term = x * Eigen::Map<const L>(theta.factors(i) + f);
        Eigen::Map<L>(S + a * width + f) += term;
        if constexpr (!Parameters::keeps_norms) squares += term.square().sum();
      });
      if constexpr (Parameters::keeps_norms) squares = x * x * theta.squared_norm(i);
      N[a] += squares;
    }
    Real pairs = 0;
    for (Index a = 0; a < fields; ++a) {
      const Real own = pairs_.weight(a, a);
      if (own != 0) pairs -= own * N[a];  // N may be infinite
    }
    Pieces::visit(width, [&]<class L>(Index f) {
      Real* const T = out.terms == nullptr ? nullptr : out.terms + f;
      L sum = L::Zero();
      Index a = 0;
      for (; a + tile <= fields; a += tile) sum += weigh<L, tile>(S + f, width, a, T);
      for (; a < fields; ++a) sum += weigh<L, 1>(S + f, width, a, T);
      pairs += sum.sum();
    });
    return linear + pairs / 2;
  }

  /// Adds sum_r e_r ds_r/dr_ab of some rows, for a < b, and twice that for a = b, from S and N.
  template <class Pieces>
  void add_weight_gradients(const Real* sums, const Real* e, Index rows, Index width,
                            Real* gradients) const noexcept {
    const Index fields = pairs_.fields;
    const SummedRows<Real> block{sums, e, rows, width, sums_size(width)};
    for (Index a = 0; a < fields; ++a) {
      Real* const of_a = gradients + a * fields;
      Index b = a;
      for (; b + tile <= fields; b += tile) products<Pieces, tile>(block, a, b, of_a + b);
      for (; b < fields; ++b) products<Pieces, 1>(block, a, b, of_a + b);
    }
    for (Index a = 0; a < fields; ++a) {
      Real squares = 0;
      for (Index r = 0; r < rows; ++r) squares += e[r] * block.of(r)[fields * width + a];
      gradients[a * fields + a] -= squares;
    }
  }

  /// Makes a step of the weights, given the sums of the above over the rows of a batch.
  template <class Optimizer, class Gradient>
  void update(const Optimizer& optimizer, const Gradient& gradient) const noexcept {
    using One = Lanes<Real, 1>;
    const Index fields = pairs_.fields, size = pairs_.size();
    for (Index a = 0; a < fields; ++a) {
      for (Index b = a; b < fields; ++b) {
        if (pairs_.learned[a * fields + b] == 0) continue;
        Real* const weight = pairs_.blocks + a * fields + b;
        const Real sum = gradient(a * fields + b);
        optimizer.apply(weight, size, One(a == b ? sum / 2 : sum), optimizer.missed(0));
        pairs_.blocks[b * fields + a] = *weight;
      }
    }
  }

  Index weights() const noexcept { return pairs_.size(); }

 private:
  static constexpr int tile = 4;  // fields at a time: as many sums as registers hold

  /// Writes T of the fields a, ..., a + n - 1, for the factors of an L, from S of all fields.
  /// Returns the sum of their S T.
  template <class L, int n>
  L weigh(const Real* S, Index width, Index a, Real* T) const noexcept {
    L of_field[n];
    for (int q = 0; q < n; ++q) of_field[q] = L::Zero();
    const Real* const weights = pairs_.weights + a;
    for (Index b = 0; b < pairs_.fields; ++b) {
      const L other = Eigen::Map<const L>(S + b * width);
      for (int q = 0; q < n; ++q) {
        add_product(of_field[q], L(L::Constant(weights[b * pairs_.fields + q])), other);
      }
    }
    L sum = L::Zero();
    for (int q = 0; q < n; ++q) {
      sum += of_field[q] * Eigen::Map<const L>(S + (a + q) * width);
      if (T != nullptr) Eigen::Map<L>(T + (a + q) * width) = of_field[q];
    }
    return sum;
  }

  /// Adds sum_r e_r <S_ra, S_rb> for n fields from b on.
  template <class Pieces, int n>
  static void products(const SummedRows<Real>& rows, Index a, Index b, Real* gradients) noexcept {
    Pieces::visit(rows.width, [&]<class L>(Index f) {
      L sums[n];
      for (int q = 0; q < n; ++q) sums[q] = L::Zero();
      for (Index r = 0; r < rows.size; ++r) {
        const Real* const S = rows.of(r) + f;
        const L own = rows.e[r] * Eigen::Map<const L>(S + a * rows.width);
        for (int q = 0; q < n; ++q) {
          add_product(sums[q], own, L(Eigen::Map<const L>(S + (b + q) * rows.width)));
        }
      }
      for (int q = 0; q < n; ++q) gradients[q] += sums[q].sum();
    });
  }

  FieldPairs<Real> pairs_;
};

static_assert(InteractionOf<FieldWeighted<float>, float>);
static_assert(InteractionOf<FieldWeighted<double>, double>);

}  // namespace sparsefm
