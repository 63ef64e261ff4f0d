// The rows of one feature: the sums of its conditional, and what follows from a draw.
#pragma once

#include <algorithm>

#include "interactors.hpp"
#include "moments.hpp"
#include "tasks.hpp"

namespace sparsefm::gibbs {

template <class Real, class Values, class Pieces, class Interactors>
class FeatureRows {
 public:
  FeatureRows(const Columns<Real>& columns, const RowsView<Real>& rows,
              const Factors<Real>& factors)
      : columns_(columns), rows_(rows), factors_(factors), interactors_(columns, rows, factors) {
    if constexpr (std::is_pointer_v<Values>) values_ = columns.values.data();
  }

  /// G and b, from some rows of feature j.
  template <class T>
  void gather(Tile<T>& tile, const MomentsView& moments, Feature j, const Range& occurrences,
              bool by_blocks = false) noexcept {
    moments.set_zero();
    const Real* v = factors_.v(j);
    const auto [first, end] = occurrences;
    for (Index begin = first; begin < end; begin += Tile<T>::rows) {
      const Index size = std::min(Tile<T>::rows, end - begin);
      load(tile, v, {begin, begin + size}, by_blocks);
      tile.template add_to<Pieces>(moments, size, rows_.omega != nullptr);
    }
  }

  /// The same from all its rows, with sums in double.
  void gather_in_double(const MomentsView& moments, Feature j) {
    Tile<double> tile(factors_.width);
    gather(tile, moments, j, {columns_.starts[j], columns_.starts[j + 1]});
  }

  /// e_r -= z_r . delta,  q_r += x_rj delta_v, after theta_j was changed by delta.
  void update(Feature j, const Range& occurrences, const Real* change) noexcept {
    const auto interactors = interactors_;
    const Values values = values_;
    const Real* v = factors_.v(j);
    Real* e = rows_.e;
    const auto* row = columns_.row.data();
    const auto [begin, end] = occurrences;
    const Index width = Pieces::width(factors_.width),
                last = static_cast<Index>(columns_.row.size()) - 1;
    for (Index p = begin; p < end; ++p) {
      interactors.prefetch(std::min(p + ahead, last));
      const Real x = values[p];
      Real score_change = change[width];
      Pieces::visit(width, [&]<class L>(Index f) {
        interactors.template shift<L>(p, x, change, f);
        const L h = interactors.template h<L>(p, x, v, f);  // v_j has no part in it
        score_change += (h * Eigen::Map<const L>(change + f)).sum();
      });
      e[row[p]] -= x * score_change;
    }
  }

 private:
  static constexpr Index ahead = 32;  // rows to prefetch ahead

  /// Loads z = x [1, h] and e of some rows of a feature.
  template <class T>
  void load(Tile<T>& tile, const Real* v, const Range& occurrences, bool by_blocks) noexcept {
    const auto interactors = interactors_;
    const auto rows = rows_;
    const Values values = values_;
    const auto to = tile.view();
    const auto* row = columns_.row.data();
    const auto [begin, end] = occurrences;
    const Index width = Pieces::width(factors_.width),
                last = static_cast<Index>(columns_.row.size()) - 1;
    const Index last_place = columns_.rows - 1;
    for (Index p = begin; p < end; ++p) {
      if (by_blocks) {  // this block is in the cache: fetch the next one
        interactors.prefetch_place(std::min(row[p] + ClassTasks::block_rows, last_place));
      } else {
        interactors.prefetch(std::min(p + ahead, last));
      }
      const Index i = p - begin;
      const T x = values[p], omega = rows.weight(row[p]);
      if (std::is_pointer_v<Values> || rows.omega != nullptr) {  // otherwise one, as it was
        to.x[i] = x;
        to.wx[i] = omega * x;
      }
      to.we[i] = omega * rows.e[row[p]];
      Pieces::visit(width, [&]<class L>(Index f) {
        using Z = Lanes<T, L::SizeAtCompileTime>;
        const Z z = x * interactors.template h<L>(p, values[p], v, f).template cast<T>();
        Eigen::Map<Z>(to.factors + i * width + f) = z;
        if (rows.omega != nullptr) Eigen::Map<Z>(to.scaled + i * width + f) = omega * z;
      });
    }
  }

  const Columns<Real>& columns_;
  RowsView<Real> rows_;
  Factors<Real> factors_;
  Interactors interactors_;
  Values values_{};
};

}  // namespace sparsefm::gibbs
