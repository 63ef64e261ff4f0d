// Hyperparameters: for each field and each column c of theta = (w, v), the mean mu and the
// precision lambda that its features' theta_jc have a priori.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <span>
#include <stdexcept>

#include "distributions.hpp"
#include "parameters.hpp"

namespace sparsefm::gibbs {

/// lambda ~ Gamma(alpha0 / 2, beta0 / 2) and mu ~ N(0, 1 / (gamma0 lambda)); the noise's precision
/// has the prior of a lambda.
struct Hyperprior {
  double alpha0, beta0, gamma0;
};

/// A precision, given that many squares and their sum.
inline double draw_precision(const Randoms& randoms, Index item, const Hyperprior& prior,
                             double squares, double sum) {
  const double rate = (prior.beta0 + sum) / 2;
  const double precision = gamma(randoms, item, (prior.alpha0 + squares) / 2) / rate;
  if (precision > 0 && std::isfinite(precision)) return precision;
  throw std::overflow_error(
      "a precision cannot be drawn: parameters or residuals are too large, or "
      "all zero without a prior");
}

/// Draws lambda and mu of one field.
template <class Real>
void draw_hyperparameters(const Parameters<Real>& parameters, std::span<const Feature> features,
                          Index field, const Hyperprior& prior, const Randoms& randoms,
                          double* means, double* precisions) {
  const Index size = parameters.size();
  const auto count = static_cast<double>(features.size());
  Eigen::ArrayXd sums = Eigen::ArrayXd::Zero(size), squares = sums;
  for (const Feature j : features) {
    for (Index c = 0; c < size; ++c) {
      const double theta = parameters.theta(j, c);
      sums[c] += theta;
      squares[c] += (theta - means[c]) * (theta - means[c]);
    }
  }
  for (Index c = 0; c < size; ++c) {
    const Index item = field * size + c;
    precisions[c] = draw_precision(randoms, item, prior, count + 1,
                                   prior.gamma0 * means[c] * means[c] + squares[c]);
    const double total = count + prior.gamma0;
    means[c] =
        sums[c] / total + normals(randoms, item, 0x40000000).b / std::sqrt(total * precisions[c]);
  }
}

}  // namespace sparsefm::gibbs
