// Sums over the rows that a feature of a batch occurs in: of x_ri times the row's slope e_r and its
// terms T_r (see `interactions/interaction.hpp`).
#pragma once

#include <numeric>
#include <vector>

#include "../data/batch.hpp"
#include "../parallel.hpp"
#include "../registers.hpp"

namespace sparsefm {

/// Scalars are summed in double: in float32 the last of many millions would be lost.
struct FeatureSums {
  double linear = 0;  // sum_r e_r x       = dw_i
  double self = 0;    // sum_r e_r x^2     subtracts what v_i itself adds to S

  friend FeatureSums operator+(const FeatureSums& a, const FeatureSums& b) noexcept {
    return {a.linear + b.linear, a.self + b.self};
  }
};

/// For each row of a batch: its slope e_r, including its weight, and e_r T_r (row_size,), or T_r
/// alone where e_r comes `late`.
template <class Real>
struct RowTerms {
  const Real* slopes;
  const Real* T;  // (rows, row_size)
  Index row_size;
};

template <class Real, class Values>
FeatureSums gather_scalars(const Occurrences<Values>& occurrences,
                           const RowTerms<Real>& terms) noexcept {
  FeatureSums sums;
  for (Index p = 0; p < occurrences.size; ++p) {
    const Real x = occurrences.values[p];
    const Real term = terms.slopes[occurrences.rows[p]] * x;
    sums = sums + FeatureSums{term, term * x};
  }
  return sums;
}

/// sum_r x_ri e_r T_r for the numbers f, f + 1, ... of an L among those of a row.
template <class L, bool late, class Real, class Values>
L gather_factors(const Occurrences<Values>& occurrences, const RowTerms<Real>& terms,
                 Index f) noexcept {
  L sum = L::Zero();
  for (Index p = 0; p < occurrences.size; ++p) {
    const auto r = occurrences.rows[p];
    const Eigen::Map<const L> T(terms.T + r * terms.row_size + f);
    if constexpr (late) {
      sum += occurrences.values[p] * (terms.slopes[r] * T);
    } else {
      sum += occurrences.values[p] * T;
    }
  }
  return sum;
}

/// Computes the sums for one batch after another. Frequent features are summed in pieces, so that
/// all threads share the work, and so that no sum in float32 has very many terms.
template <class Real, bool late = false>
class Gatherer {
 public:
  /// Sums the pieces: `width` numbers for each, from `place(i)` on. The arrays of `terms` must stay
  /// until the last call for sums.
  template <class Pieces, class Values, class Place>
  void begin(Team& team, const Batch<Real>& batch, const RowTerms<Real>& terms, Index width,
             const Place& place) {
    batch_ = &batch;
    terms_ = terms;
    const auto pieces = static_cast<Index>(batch.pieces.size());
    piece_scalars_.resize(pieces);
    piece_factors_.resize(width, pieces);
    team.for_blocks(pieces, pieces_at_once, [&](Index, Index begin, Index end) {
      for (Index q = begin; q < end; ++q) {
        const auto part = batch.template occurrences<Values>(batch.pieces[q]);
        const Index first = place(batch.features[batch.pieces[q].feature]);
        piece_scalars_[q] = gather_scalars(part, terms);
        Pieces::visit(width, [&]<class L>(Index f) {
          Eigen::Map<L>(&piece_factors_(f, q)) = gather_factors<L, late>(part, terms, first + f);
        });
      }
    });
  }

  /// The sums of the feature at position j of the batch.
  template <class Values>
  FeatureSums scalars(Index j) const noexcept {
    const auto [first, last] = batch_->pieces_of(j);
    if (first == last) return gather_scalars(batch_->template occurrences<Values>(j), terms_);
    return std::accumulate(piece_scalars_.begin() + first, piece_scalars_.begin() + last,
                           FeatureSums{});
  }

  template <class Values, class L>
  L factors(Index j, Index place, Index f) const noexcept {
    const auto [first, last] = batch_->pieces_of(j);
    if (first == last) {
      return gather_factors<L, late>(batch_->template occurrences<Values>(j), terms_, place + f);
    }
    using Doubles = Eigen::Array<double, L::RowsAtCompileTime, 1>;
    Doubles sum = Doubles::Zero();
    for (Index q = first; q < last; ++q) {
      sum += Eigen::Map<const L>(&piece_factors_(f, q)).template cast<double>();
    }
    return sum.template cast<Real>();
  }

  /// Asks for the first rows' terms that `factors` will read.
  template <class Values>
  void prefetch(Index j, Index place, Index width) const noexcept {
    const auto occurrences = batch_->template occurrences<Values>(j);
    if (occurrences.size > Batch<Real>::piece_size) return;
    for (Index p = 0; p < std::min(occurrences.size, rows_ahead); ++p) {
      const Real* const T = terms_.T + occurrences.rows[p] * terms_.row_size + place;
      for (Index f = 0; f < width; f += cache_line / Index{sizeof(Real)}) {
        sparsefm::prefetch(T + f);
      }
    }
  }

 private:
  static constexpr Index rows_ahead = 4;  // whose terms to prefetch; the processor sees the rest
  static constexpr Index pieces_at_once = 4;

  const Batch<Real>* batch_ = nullptr;
  RowTerms<Real> terms_{};
  std::vector<FeatureSums> piece_scalars_;
  Eigen::ArrayXX<Real> piece_factors_;  // (width, pieces), columns first
};

}  // namespace sparsefm
