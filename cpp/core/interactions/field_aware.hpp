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
  static constexpr bool uses_norms = false, scales_late = true, has_weights = false;

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
    Real pairs = 0;
    visit_block([&]<class L>(Index f) {
      const L squares = write_terms<L>(row, theta, out.terms + f, f);
      pairs += (sum_pairs<L>(out.terms + f, theta.width) - squares).sum();
    });
    const Index used = blocks_.fields * blocks_.size;
    for (Index a = 0; used < theta.width && a < blocks_.fields; ++a) {
      std::fill_n(out.terms + a * theta.width + used, theta.width - used, Real{0});
    }
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

  /// Writes T of a row, for the factors of an L of each block. Returns the sum of the features'
  /// |v_i,f(i)|^2 x_i^2.
  template <class L, class Values, class Parameters>
  L write_terms(const CsrRow<Values>& row, const Parameters& theta, Real* T,
                Index f) const noexcept {
    // Copies: the compiler must suppose that writing T changes what it can reach.
    const Index fields = blocks_.fields, size = blocks_.size, width = theta.width;
    const auto* const field_of = blocks_.field_of;
    const auto of_field = [&](Index a, const auto& write) {  // what its features add to
      for (Index b = 0; b < fields; ++b) write(Eigen::Map<L>(T + b * width + a * size), b);
    };
    const auto set_zero = [](Eigen::Map<L> sum, Index) { sum.setZero(); };
    Index begun = 0;  // the fields below have sums; usually a feature is the first of its field
    L squares = L::Zero();
    for (Index p = 0; p < row.size; ++p) {
      const Index i = row.features[p], a = field_of[i];
      const Real x = row.values[p];
      const Real* const v = theta.factors(i) + f;
      const auto term = [&](Index b) { return x * Eigen::Map<const L>(v + b * size); };
      while (begun < a) of_field(begun++, set_zero);
      if (begun == a) {
        of_field(begun++, [&](Eigen::Map<L> sum, Index b) { sum = term(b); });
      } else {
        of_field(a, [&](Eigen::Map<L> sum, Index b) { sum += term(b); });
      }
      squares += L(term(a)).square();
    }
    while (begun < fields) of_field(begun++, set_zero);
    return squares;
  }

  /// Returns the sum of <S_ab, S_ba> over a and b.
  template <class L>
  L sum_pairs(const Real* T, Index width) const noexcept {
    const Index fields = blocks_.fields, size = blocks_.size;
    const auto of = [&](Index a, Index b) { return Eigen::Map<const L>(T + a * width + b * size); };
    // Several sums: one addition need not wait for the one before.
    L between = L::Zero(), odd = L::Zero(), within = L::Zero();
    for (Index a = 0; a < fields; ++a) {
      Index b = 0;
      for (; b + 2 <= a; b += 2) {
        between += of(a, b) * of(b, a);
        odd += of(a, b + 1) * of(b + 1, a);
      }
      if (b < a) between += of(a, b) * of(b, a);
      within += of(a, a).square();
    }
    return 2 * (between + odd) + within;
  }

  FieldBlocks blocks_;
};

static_assert(InteractionOf<FieldAware<float>, float>);
static_assert(InteractionOf<FieldAware<double>, double>);

}  // namespace sparsefm
