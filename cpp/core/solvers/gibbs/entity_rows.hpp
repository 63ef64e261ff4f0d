// The rows of a feature of a relation, whose value x_aj depends on the row's entity a only. With
//
//   u_a = sum_j x_aj v_j   over the relation's features      p_r = q_r - u_a   the rest of the row
//
// a feature j of the relation meets h_r = p_r + c_a in a row, where c_a = u_a - x_aj v_j. So the
// sums over the rows of an entity, for z = [1, p_r], tell the entity's part of the feature's:
//
//   sum omega h h' = sum omega p p' + (sum omega p) c' + c (sum omega p)' + (sum omega) c c'
//
// and so on. They are gathered once for each entity, as if it were a feature; its features are
// drawn from them, which also keeps them up to date; then the rows are updated once.
#pragma once

#include "feature_rows.hpp"

namespace sparsefm::gibbs {

/// What there is for each entity.
template <class Real>
struct EntitiesView {
  Real* sums;       // (entities, width): u_a
  Real* changes;    // (entities, width + 1): D and W; the scores change by W + <D, p_r>
  double* moments;  // (entities, size of moments), for z = [1, p_r]; G is symmetric
  Index width;

  Real* sum(Index a) const noexcept { return sums + a * width; }
  Real* change(Index a) const noexcept { return changes + a * (width + 1); }
  MomentsView moments_of(Index a) const noexcept {
    return {moments + a * MomentsView::size(width), width};
  }
};

template <class Real>
class EntityRows {
 public:
  /// `columns`: the relation's features by their entities; `rows_of`: the entities by their rows.
  EntityRows(const Columns<Real>& columns, const Columns<Real>& rows_of,
             const EntitiesView<Real>& entities, const RowsView<Real>& rows,
             const Factors<Real>& factors)
      : columns_(columns), rows_of_(rows_of), entities_(entities), rows_(rows), factors_(factors) {}

  /// G and b, from some entities of feature j.
  void gather(Tile<Real>& tile, const MomentsView& moments, Feature j, const Range& occurrences,
              bool /*by_blocks*/ = false) const noexcept {
    moments.set_zero();
    const Index width = factors_.width;
    const Vector v(factors_.v(j), width);
    Eigen::Map<Eigen::ArrayX<Real>> c(tile.view().factors, width);
    for (Index p = occurrences.begin; p < occurrences.end; ++p) {
      const Index a = columns_.row[p];
      const Real x = columns_.values[p];
      c = Vector(entities_.sum(a), width) - x * v;
      add_shifted(moments, entities_.moments_of(a), c.data(), x);
    }
  }

  /// The same from all its rows, with sums in double.
  void gather_in_double(const MomentsView& moments, Feature j) const {
    moments.set_zero();
    Tile<double> tile(factors_.width);
    for (Index p = columns_.starts[j]; p < columns_.starts[j + 1]; ++p) {
      const Index a = columns_.row[p], end = rows_of_.starts[a + 1];
      for (Index begin = rows_of_.starts[a]; begin < end; begin += Tile<double>::rows) {
        const Index size = std::min(Tile<double>::rows, end - begin);
        for (Index i = 0; i < size; ++i) {
          load(tile.view(), i, rows_of_.row[begin + i], a, columns_.values[p], factors_.v(j));
        }
        tile.template add_to<Pieces<Lanes<double, padding>>>(moments, size, rows_.omega != nullptr);
      }
    }
  }

  /// Brings the entities up to date after theta_j was changed.
  void update(Feature j, const Range& occurrences, const Real* change) const noexcept {
    const Index width = factors_.width;
    const Vector v(factors_.v(j), width), change_v(change, width);
    for (Index p = occurrences.begin; p < occurrences.end; ++p) {
      const Index a = columns_.row[p];
      const Real x = columns_.values[p];
      Eigen::Map<Eigen::ArrayX<Real>> u(entities_.sum(a), width), D(entities_.change(a), width);
      u += x * change_v;
      D += x * change_v;
      const double W = x * (change[width] + (change_v * (u - x * v)).sum());  // v has no part in it
      entities_.change(a)[width] += static_cast<Real>(W);
      take_from_residuals(entities_.moments_of(a), W, x, change_v);
    }
  }

 private:
  using Vector = Eigen::Map<const Eigen::ArrayX<Real>>;
  using Doubles = Eigen::Map<Eigen::ArrayXd>;

  /// Adds the sums of z = x [1, p + c] to `to`, given those of [1, p].
  static void add_shifted(const MomentsView& to, const MomentsView& of, const Real* shift,
                          double x) noexcept {
    const Index width = to.width();
    const Vector c(shift, width);
    const Doubles p(of.h1(), width), pe(of.he(), width);
    const double squares = x * x, count = of.one();
    for (Index i = 0; i < width; ++i) {
      const Index size = (i / padding + 1) * padding;  // blocks on and below the diagonal
      const auto c_i = static_cast<double>(c[i]);
      const auto p_j = p.head(size);
      const auto c_j = c.head(size).template cast<double>();
      Doubles(to.hh() + i * width, size) +=
          squares * (Doubles(of.hh() + i * width, size) + (p[i] + count * c_i) * c_j + c_i * p_j);
    }
    const auto& exact = c.template cast<double>();
    Doubles(to.h1(), width) += squares * (p + count * exact);
    Doubles(to.he(), width) += x * (pe + of.e() * exact);
    to.one() += squares * count;
    to.e() += x * of.e();
  }

  /// The residuals have become e - W - <x change_v, p>.
  static void take_from_residuals(const MomentsView& moments, double W, double x,
                                  const Vector& change_v) noexcept {
    const Index width = moments.width();
    const Doubles p(moments.h1(), width);
    Doubles pe(moments.he(), width);
    pe -= W * p;
    double sum = W * moments.one();
    for (Index i = 0; i < width; ++i) {
      const double d = x * static_cast<double>(change_v[i]);
      pe -= d * Doubles(moments.hh() + i * width, width);
      sum += d * p[i];
    }
    moments.e() -= sum;
  }

  /// Row i of a tile: z and e of a row of entity a, which has not been updated yet.
  void load(const Tile<double>::View& to, Index i, Index place, Index a, double x,
            const Real* v) const noexcept {
    const Index width = factors_.width;
    const Real *u = entities_.sum(a), *D = entities_.change(a), *q = rows_.q + place * width;
    const double omega = rows_.weight(place);
    double e = static_cast<double>(rows_.e[place]) - static_cast<double>(D[width]);
    for (Index f = 0; f < width; ++f) {
      const double now = static_cast<double>(q[f]) + static_cast<double>(D[f]);
      const double z = x * (now - x * static_cast<double>(v[f]));
      to.factors[i * width + f] = z;
      if (rows_.omega != nullptr) to.scaled[i * width + f] = omega * z;
      e -= static_cast<double>(D[f]) * (now - static_cast<double>(u[f]));
    }
    to.x[i] = x;
    to.wx[i] = omega * x;
    to.we[i] = omega * e;
  }

  const Columns<Real>& columns_;
  const Columns<Real>& rows_of_;
  EntitiesView<Real> entities_;
  RowsView<Real> rows_;
  Factors<Real> factors_;
};

}  // namespace sparsefm::gibbs
