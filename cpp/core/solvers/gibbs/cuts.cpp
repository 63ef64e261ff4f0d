#include "cuts.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

namespace sparsefm::gibbs {
namespace {

using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

constexpr double most_groups = 8;  // on average; many at once would rarely be accepted
constexpr double freedom = 20;     // degrees, of Student's t distribution: near normal
constexpr Word normal_part = 0x40000000, group_part = 0x50000000;  // attempts of a Gamma end before

double draw_student(const Randoms& randoms, Index item) {
  const double square = gamma(randoms, item, freedom / 2) / (freedom / 2);
  return normals(randoms, item, normal_part).a / std::sqrt(square);
}

/// The group of each gap: (gaps, groups), ones and zeros. Each gap begins a new one with a chance.
Matrix draw_groups(const Randoms& randoms, Index gaps) {
  Matrix groups = Matrix::Zero(gaps, gaps);
  Index group = 0;
  for (Index m = 0; m < gaps; ++m) {
    const double u = randoms.uniforms(m, group_part).a;
    if (m > 0 && u < most_groups / static_cast<double>(gaps)) ++group;
    groups(m, group) = 1;
  }
  return groups.leftCols(group + 1);
}

/// The log density at some logarithms of gaps, and the step that is proposed from there.
class Place {
 public:
  double log_density;

  Place(const Vector& log_gaps, std::span<const double> cuts, const Matrix& groups,
        double gap_precision, const SumsOfCuts& sums_of) {
    const auto sums = sums_of(cuts);
    const Index size = log_gaps.size();
    Vector slopes(size);
    Matrix H = Matrix::Zero(size, size);
    for (Index m = 0; m < size; ++m) {  // the first cut stays
      slopes[m] = sums.slopes[m + 1];
      H(m, m) = sums.curvatures[m + 1];
      if (m + 1 < size) H(m, m + 1) = H(m + 1, m) = sums.couplings[m + 1];
    }
    // A step in a group moves all cuts above each of its gaps, by exp(a) da.
    const Vector widths = log_gaps.array().exp();
    const Matrix moves =
        Matrix::Ones(size, size).triangularView<Eigen::Lower>() * (widths.asDiagonal() * groups);
    slopes = (moves.transpose() * slopes).eval();
    H = (moves.transpose() * H * moves).eval();
    // How that changes with a adds -g to the diagonal. Where it is negative it is left out: so H
    // stays positive definite, and steps from either side are too short rather than too long.
    H.diagonal() += (-slopes).cwiseMax(0.0) + gap_precision * groups.colwise().sum().transpose();
    slopes -= gap_precision * (groups.transpose() * log_gaps);
    log_density = sums.log - gap_precision / 2 * log_gaps.squaredNorm();
    factor_.compute(H);
    mean_ = factor_.solve(slopes);
  }

  bool good() const {
    return factor_.info() == Eigen::Success && std::isfinite(log_density) && mean_.allFinite();
  }

  /// H^-1 g + L'^-1 xi
  Vector propose(const Vector& xi) const { return mean_ + factor_.matrixU().solve(xi); }

  /// The log density of proposing a step, up to a constant.
  double log_chance(const Vector& step) const {
    const Vector xi = factor_.matrixU() * (step - mean_);
    return factor_.matrixLLT().diagonal().array().log().sum() -
           (freedom + 1) / 2 * (xi.array().square() / freedom).log1p().sum();
  }

 private:
  Eigen::LLT<Matrix> factor_;
  Vector mean_;
};

}  // namespace

bool draw_cuts(std::span<double> cuts, double gap_precision, const Randoms& randoms,
               const SumsOfCuts& sums_of) {
  const Index size = static_cast<Index>(cuts.size()) - 1;
  if (size <= 0) return false;
  Vector log_gaps(size);
  for (Index m = 0; m < size; ++m) log_gaps[m] = std::log(cuts[m + 1] - cuts[m]);
  const Matrix groups = draw_groups(randoms, size);
  Vector xi(groups.cols());
  for (Index group = 0; group < xi.size(); ++group) xi[group] = draw_student(randoms, group);

  const Place here(log_gaps, cuts, groups, gap_precision, sums_of);
  if (!here.good()) return false;
  const Vector step = here.propose(xi);
  log_gaps += groups * step;
  std::vector<double> others(cuts.begin(), cuts.end());
  for (Index m = 0; m < size; ++m) {
    others[m + 1] = others[m] + std::exp(log_gaps[m]);
    if (!(others[m + 1] > others[m]) || !std::isfinite(others[m + 1])) return false;
  }
  const Place there(log_gaps, others, groups, gap_precision, sums_of);
  const double log_ratio =
      there.log_density - here.log_density + there.log_chance(-step) - here.log_chance(step);
  if (!there.good() || !(std::log(randoms.uniforms(size, 0).a) < log_ratio)) return false;
  std::ranges::copy(others, cuts.begin());
  return true;
}

}  // namespace sparsefm::gibbs
