// The field-aware factorization machine (Juan et al. 2016): a feature has a vector of factors for
// each field, v_ib for field b. With f(i) the field of feature i,
//
//   s(x) = w0 + sum_i w_i x_i + sum_{i<j} <v_i,f(j), v_j,f(i)> x_i x_j
//        = w0 + sum_i w_i x_i + 1/2 [ sum_ab <S_ab, S_ba> - sum_i |v_i,f(i)|^2 x_i^2 ]
//   S_ab = sum_{i in a} v_ib x_i
//
//   ds/dv_ib = x_i S_ba - [b = a] v_ia x_i^2   with a = f(i)
//
// A feature's factors are one vector v_i = (v_ib)_b, so what a row passes to the features of field
// a is T_a = (S_ba)_b, which is where the sums are kept. O(non-zeros * fields * rank + fields^2 *
// rank) a row. Factors of zero of a feature for its own field stay zero, exactly, as long as those
// of the other features of the field are zero, too.
#pragma once

#include <algorithm>

#include "../model/field_blocks.hpp"
#include "interaction.hpp"

namespace sparsefm {

template <class Real>
class FieldAware {
 public:
  static constexpr bool has_weights = false;

  explicit FieldAware(const FieldBlocks& blocks) noexcept : blocks_(blocks) {}

  Index vectors() const noexcept { return blocks_.fields; }
  Index of(Index i) const noexcept { return blocks_.field_of[i]; }

  /// 1 for the factors for the feature's own field, 0 for the others.
  template <class L>
  L own(Index i, Index f) const noexcept {
    const Index begin = of(i) * blocks_.size - f, end = begin + blocks_.size;
    if (end <= 0 || L::SizeAtCompileTime <= begin) return L::Zero();
    const Eigen::Map<const L> lane(lanes);
    const L inside = (lane - static_cast<Real>(begin - 1)).min(static_cast<Real>(end) - lane);
    return inside.max(Real{0}).min(Real{1});
  }

  void prefetch(Index i) const noexcept { sparsefm::prefetch(blocks_.field_of + i); }

  static constexpr Index sums_size(Index) noexcept { return 0; }

  template <class Pieces, class Values, class Parameters>
  Real score(const CsrRow<Values>& row, const Parameters& theta,
             const RowSums<Real>& out) const noexcept {
    Real linear = theta.bias();
    for (Index p = 0; p < row.size; ++p) linear += row.values[p] * theta.linear(row.features[p]);
    std::fill_n(out.terms, blocks_.fields * theta.width, Real{0});
    Real pairs = 0;
    visit_block([&]<class L>(Index f) {
      const L squares = add_features<L>(row, theta, out.terms + f, f);
      pairs += (add_pairs<L>(out.terms + f, theta.width) - squares).sum();
    });
    return linear + pairs / 2;
  }

 private:
  static constexpr Real lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

  /// Cuts a block for vector registers: `Pieces` cut all blocks of a feature, across their borders.
  template <class Body>
  void visit_block(const Body& body) const noexcept {
    if (blocks_.size % 4 != 0) return MixedPieces<Real>::visit(blocks_.size, body);
    with_pieces<Real>(blocks_.size, [&]<class Block>(Block) { Block::visit(blocks_.size, body); });
  }

  /// Adds the features of a row to T, for the factors of an L of each block. Returns the sum of
  /// their |v_i,f(i)|^2 x_i^2.
  template <class L, class Values, class Parameters>
  L add_features(const CsrRow<Values>& row, const Parameters& theta, Real* T,
                 Index f) const noexcept {
    // Copies: the compiler must suppose that writing T changes what it can reach.
    const Index fields = blocks_.fields, size = blocks_.size, width = theta.width;
    const auto* const field_of = blocks_.field_of;
    L squares = L::Zero();
    for (Index p = 0; p < row.size; ++p) {
      const Index i = row.features[p], a = field_of[i];
      const Real x = row.values[p];
      const Real* const v = theta.factors(i) + f;
      for (Index b = 0; b < fields; ++b) {
        Eigen::Map<L>(T + b * width + a * size) += x * Eigen::Map<const L>(v + b * size);
      }
      squares += L(x * Eigen::Map<const L>(v + a * size)).square();
    }
    return squares;
  }

  /// Returns the sum of <S_ab, S_ba> over a and b.
  template <class L>
  L add_pairs(const Real* T, Index width) const noexcept {
    const Index size = blocks_.size;
    L between = L::Zero(), within = L::Zero();
    for (Index a = 0; a < blocks_.fields; ++a) {
      for (Index b = 0; b < a; ++b) {
        between += Eigen::Map<const L>(T + a * width + b * size) *
                   Eigen::Map<const L>(T + b * width + a * size);
      }
      within += Eigen::Map<const L>(T + a * width + a * size).square();
    }
    return 2 * between + within;
  }

  FieldBlocks blocks_;
};

static_assert(InteractionOf<FieldAware<float>, float>);
static_assert(InteractionOf<FieldAware<double>, double>);

}  // namespace sparsefm
