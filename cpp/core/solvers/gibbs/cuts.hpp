// The cuts between ordered classes, drawn given the scores alone: latent targets are integrated
// out, or with many rows a cut could hardly move between those of its neighbours. The first cut is
// 0; the others are drawn through the logarithms of the gaps,
//
//   a_m = log(c_m - c_(m-1)),  m = 1 ...     a priori  a_m ~ N(0, 1 / gap_precision)
//
// by a step of Metropolis and Hastings. It adds H^-1 g + L'^-1 xi to a, with the gradient g of the
// log density, a positive definite H = L L' near its negative Hessian, and numbers xi of Student's
// t distribution. Their heavy tails let cuts that are many standard deviations off come back: with
// normal numbers, the way back there would be so improbable that steps are hardly ever accepted.
// If there are many gaps, neighbours form groups at random, and those of a group move alike.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "distributions.hpp"
#include "normal.hpp"

namespace sparsefm::gibbs {

/// The logarithm of the likelihood of cuts, its gradient, and its negative Hessian, in which a cut
/// meets only itself and its neighbours.
struct CutSums {
  double log = 0;
  std::vector<double> slopes, curvatures;  // (cuts,)
  std::vector<double> couplings;           // (cuts,): of a cut and the next; the last is 0

  explicit CutSums(std::size_t cuts) : slopes(cuts), curvatures(cuts), couplings(cuts) {}

  /// Adds a row of class k > 0.
  void add(std::size_t k, const Interval& row) noexcept {
    log += row.log;
    slopes[k - 1] += row.a;
    curvatures[k - 1] += row.aa;
    if (k == slopes.size()) return;
    slopes[k] += row.b;
    curvatures[k] += row.bb;
    couplings[k - 1] += row.ab;
  }

  CutSums& operator+=(const CutSums& other) noexcept {
    log += other.log;
    for (std::size_t m = 0; m < slopes.size(); ++m) {
      slopes[m] += other.slopes[m];
      curvatures[m] += other.curvatures[m];
      couplings[m] += other.couplings[m];
    }
    return *this;
  }
};

/// Returns the sums over all rows for given cuts.
using SumsOfCuts = std::function<CutSums(std::span<const double>)>;

/// Makes a step; returns whether the cuts changed.
bool draw_cuts(std::span<double> cuts, double gap_precision, const Randoms& randoms,
               const SumsOfCuts& sums_of);

}  // namespace sparsefm::gibbs
