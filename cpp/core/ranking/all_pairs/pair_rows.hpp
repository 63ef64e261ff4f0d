// The pairs of one feature: the sums of its least squares problem, see `all_pairs`, and what
// follows when its parameters change. A `FeaturePass` makes an epoch of it.
#pragma once

#include "side.hpp"

namespace sparsefm::all_pairs {

template <class Real, class Pieces>
class PairRows {
 public:
  /// The pairs of the rows of side `own` with those of side `other`.
  PairRows(Side<Real>& own, const Side<Real>& other, const gibbs::Parameters<Real>& parameters,
           const double* penalties, double alpha)
      : own_(own), other_(other), parameters_(parameters), penalties_(penalties), alpha_(alpha) {}

  /// G = sum omega z z' and b = sum omega z (target - s), over all pairs of some rows of feature j.
  /// The penalty comes with the first of its rows.
  template <class T>
  void gather(gibbs::Tile<T>& tile, const gibbs::MomentsView& moments, Feature j,
              const gibbs::Range& occurrences, bool = false) const noexcept {
    moments.set_zero();
    add_pairs(tile, moments, j, occurrences);
    add_scatter(moments, occurrences);
    if (occurrences.begin == own_.columns().starts[j]) add_penalty(moments, j);
  }

  /// The same from all its rows, in double.
  void gather_in_double(const gibbs::MomentsView& moments, Feature j) const {
    const auto& starts = own_.columns().starts;
    gibbs::Tile<double> tile(parameters_.width());
    gather(tile, moments, j, {starts[j], starts[j + 1]});
  }

  /// Changes the vectors and scores of some rows, after theta_j was changed: by (v, w).
  void update(Feature j, const gibbs::Range& occurrences, const Real* change) const noexcept {
    const Index width = Pieces::width(parameters_.width());
    const Real* v = parameters_.v(j);
    for (Index n = occurrences.begin; n < occurrences.end; ++n) {
      const Index c = own_.columns().row[n];
      const Real x = value(n);
      Real* p = own_.vector(c, width);
      Real score_change = change[width];
      Pieces::visit(width, [&]<class L>(Index f) {
        const Eigen::Map<const L> delta(change + f);
        Eigen::Map<L> sum(p + f);
        sum += x * delta;
        score_change += ((sum - x * Eigen::Map<const L>(v + f)) * delta).sum();
      });
      own_.score(c) += x * score_change;
    }
  }

 private:
  static constexpr Index ahead = 8;  // positives to prefetch ahead

  Real value(Index n) const noexcept {
    const auto& values = own_.columns().values;
    return values.empty() ? Real{1} : values[n];
  }

  /// Adds the positives of each row, and its pair with the other side's middle.
  template <class T>
  void add_pairs(gibbs::Tile<T>& tile, const gibbs::MomentsView& moments, Feature j,
                 const gibbs::Range& occurrences) const noexcept {
    const Index width = Pieces::width(parameters_.width());
    const Real* v = parameters_.v(j);
    const auto& positives = own_.positives();
    const auto& totals = other_.totals();
    const auto to = tile.view();
    Index size = 0;
    for (Index n = occurrences.begin; n < occurrences.end; ++n) {
      const Index c = own_.columns().row[n];
      const Real x = value(n), score = own_.score(c);
      const Real* p = own_.vector(c, width);
      const auto add = [&](const Real* q, Real b, T omega, T target) {
        to.x[size] = x;
        to.wx[size] = omega * x;
        to.we[size] = omega * (target - (score + b + dot<Pieces>(p, q, width)));
        Pieces::visit(width, [&]<class L>(Index f) {
          using Z = Lanes<T, L::SizeAtCompileTime>;
          const L h = Eigen::Map<const L>(q + f) + Eigen::Map<const L>(p + f) -
                      x * Eigen::Map<const L>(v + f);
          const Z z = T{x} * h.template cast<T>();
          Eigen::Map<Z>(to.factors + size * width + f) = z;
          Eigen::Map<Z>(to.scaled + size * width + f) = omega * z;
        });
        if (++size < gibbs::Tile<T>::rows) return;
        tile.template add_to<Pieces>(moments, size, true);
        size = 0;
      };
      add(totals.mean.data(), totals.mean_score, static_cast<T>(alpha_ * totals.count), T{0});
      const Index end = positives.offsets[c + 1];
      for (Index m = positives.offsets[c]; m < end; ++m) {
        if (m + ahead < end) other_.prefetch(positives.columns[m + ahead]);
        const Index i = positives.columns[m];
        add(other_.vector(i, width), other_.score(i), value_at(positives.values, m), T{1});
      }
    }
    if (size > 0) tile.template add_to<Pieces>(moments, size, true);
  }

  /// Adds how the other side lies around its middle: G += alpha sum x^2 S, and
  /// b -= alpha sum x (S p_c + t).
  void add_scatter(const gibbs::MomentsView& moments,
                   const gibbs::Range& occurrences) const noexcept {
    const Index width = Pieces::width(parameters_.width());
    const auto& totals = other_.totals();
    Eigen::Map<Eigen::VectorXd> b(moments.he(), width);
    double sum = 0, squares = 0;
    for (Index n = occurrences.begin; n < occurrences.end; ++n) {
      const double x = value(n);
      sum += x;
      squares += x * x;
    }
    Eigen::Map<Eigen::MatrixXd>(moments.hh(), width, width) += alpha_ * squares * totals.scatter;
    b -= alpha_ * sum * totals.slant;
    Pieces::visit(width, [&]<class L>(Index f) {
      using Doubles = Lanes<double, L::SizeAtCompileTime>;
      Doubles vector = Doubles::Zero();  // sum x p_c
      for (Index n = occurrences.begin; n < occurrences.end; ++n) {
        const Real* p = own_.vector(own_.columns().row[n], width) + f;
        vector += static_cast<double>(value(n)) * Eigen::Map<const L>(p).template cast<double>();
      }
      for (Index l = 0; l < L::SizeAtCompileTime; ++l) {
        b -= alpha_ * vector[l] * totals.scatter.col(f + l);
      }
    });
  }

  void add_penalty(const gibbs::MomentsView& moments, Feature j) const noexcept {
    const double lambda = penalties_[j];
    moments.one() += lambda;
    moments.e() -= lambda * parameters_.w(j);
    for (Index f = 0; f < moments.width(); ++f) {
      moments.hh()[f * (moments.width() + 1)] += lambda;
      moments.he()[f] -= lambda * parameters_.v(j)[f];
    }
  }

  Side<Real>& own_;
  const Side<Real>& other_;
  const gibbs::Parameters<Real>& parameters_;
  const double* penalties_;
  double alpha_;
};

}  // namespace sparsefm::all_pairs
