// The likelihoods: how a row's target depends on its score s.
//
// A likelihood says what the row's residual e is: the target minus s. If it is `latent`, the target
// is drawn first, from one uniform number; otherwise the targets' precision alpha is drawn.
#pragma once

#include <cmath>

#include "../../settings.hpp"
#include "normal.hpp"

namespace sparsefm::gibbs {

/// y ~ N(s, 1 / (alpha omega))
struct Gaussian {
  static constexpr std::string_view name = "squared";
  static constexpr bool latent = false;

  static double residual(double y, double s, double /*omega*/, double /*uniform*/) noexcept {
    return y - s;
  }
};

/// y = 1 or -1 is the sign of z ~ N(s, 1 / omega). As z has y's sign, y (z - s) is a normal number
/// above -y s; the uniform number is its probability above.
struct Probit {
  static constexpr std::string_view name = "probit";
  static constexpr bool latent = true;

  static double residual(double y, double s, double omega, double uniform) noexcept {
    const double precision = std::sqrt(omega);
    return y * normal_above(-y * s * precision, uniform) / precision;
  }
};

using Likelihoods = Family<Gaussian, Probit>;

}  // namespace sparsefm::gibbs
