// What a feature j meets in a row, h_r = q_r - x_rj v_j: the sum of the other features' factors.
#pragma once

#include "rows.hpp"

namespace sparsefm::gibbs {

/// From the cached q_r.
template <class Real, class Pieces>
class CachedSums {
 public:
  CachedSums(const Columns<Real>& columns, const RowsView<Real>& rows, const Factors<Real>&)
      : row_(columns.row.data()), rows_(rows) {}

  void prefetch(Index p) const noexcept { prefetch_place(row_[p]); }
  void prefetch_place(Index place) const noexcept {
    rows_.prefetch(place);
    for (Index f = 0; f < width(); f += cache_line / Index{sizeof(Real)}) {
      sparsefm::prefetch(rows_.q + place * width() + f);
    }
  }

  /// h of occurrence p, from factor f on.
  template <class L>
  L h(Index p, Real x, const Real* v, Index f) const noexcept {
    return Eigen::Map<const L>(q(p, f)) - x * Eigen::Map<const L>(v + f);
  }

  /// q += x change
  template <class L>
  void shift(Index p, Real x, const Real* change, Index f) const noexcept {
    Eigen::Map<L>(q(p, f)) += x * Eigen::Map<const L>(change + f);
  }

 private:
  Index width() const noexcept { return Pieces::width(rows_.width); }
  Real* q(Index p, Index f) const noexcept { return rows_.q + row_[p] * width() + f; }

  const std::int32_t* row_;
  RowsView<Real> rows_;
};

/// From the factors of the only other feature in the row, where all values are one: there is
/// nothing to keep up to date.
template <class Real, class Pieces>
class PartnerFactors {
 public:
  PartnerFactors(const Columns<Real>& columns, const RowsView<Real>& rows,
                 const Factors<Real>& factors)
      : row_(columns.row.data()),
        partners_(columns.partners.data()),
        rows_(rows),
        factors_(factors) {}

  void prefetch(Index p) const noexcept {
    rows_.prefetch(row_[p]);
    sparsefm::prefetch(factors_.v(partners_[p], width()));
  }
  void prefetch_place(Index place) const noexcept { rows_.prefetch(place); }

  template <class L>
  L h(Index p, Real, const Real*, Index f) const noexcept {
    return Eigen::Map<const L>(factors_.v(partners_[p], width()) + f);
  }

  template <class L>
  void shift(Index, Real, const Real*, Index) const noexcept {}

 private:
  Index width() const noexcept { return Pieces::width(factors_.width); }

  const std::int32_t* row_;
  const Feature* partners_;
  RowsView<Real> rows_;
  Factors<Real> factors_;  // those of no feature are zero
};

}  // namespace sparsefm::gibbs
