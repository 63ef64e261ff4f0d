// The likelihoods: how a row's target depends on its score s.
//
// A likelihood says what the row's residual e is: the target minus s. If it is `latent`, the target
// is drawn first, from one uniform number; otherwise the targets' precision alpha is drawn. If it
// is `ordered`, the cuts between the classes are drawn before the targets.
#pragma once

#include <cmath>
#include <limits>
#include <span>

#include "../../settings.hpp"
#include "normal.hpp"

namespace sparsefm::gibbs {

/// y ~ N(s, 1 / (alpha omega))
struct Gaussian {
  static constexpr std::string_view name = "squared";
  static constexpr bool latent = false, ordered = false;

  static double residual(double y, double s, double /*omega*/, double /*uniform*/) noexcept {
    return y - s;
  }
};

/// y = 1 or -1 is the sign of z ~ N(s, 1 / omega). As z has y's sign, y (z - s) is a normal number
/// above -y s; the uniform number is its probability above.
struct Probit {
  static constexpr std::string_view name = "probit";
  static constexpr bool latent = true, ordered = false;

  static double residual(double y, double s, double omega, double uniform) noexcept {
    const double precision = std::sqrt(omega);
    return y * normal_above(-y * s * precision, uniform) / precision;
  }
};

/// y = k if z ~ N(s, 1 / omega) lies between the cuts c[k - 1] and c[k], of which the first are
/// minus infinity and c[0] = 0, and the last is infinity.
struct Ordinal {
  static constexpr std::string_view name = "ordinal";
  static constexpr bool latent = true, ordered = true;

  std::span<const double> cuts;

  /// The target is not drawn yet: minus the score.
  static double residual(double /*y*/, double s, double /*omega*/, double /*uniform*/) noexcept {
    return -s;
  }

  double drawn_residual(double y, double s, double omega, double uniform) const noexcept {
    const double precision = std::sqrt(omega);
    const auto [a, b] = bounds(y, s, precision);
    return normal_between(a, b, uniform) / precision;
  }

  /// log P(y | s), and its derivatives by the cuts below and above.
  Interval logarithm(double y, double s, double omega) const noexcept {
    const double precision = std::sqrt(omega);
    const auto [a, b] = bounds(y, s, precision);
    const Interval of = normal_interval(a, b);
    return {of.log,        precision * of.a, precision * of.b,
            omega * of.aa, omega * of.bb,    omega * of.ab};
  }

 private:
  struct Bounds {
    double a, b;
  };

  /// Of (z - s) in units of its standard deviation.
  Bounds bounds(double y, double s, double precision) const noexcept {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const auto k = static_cast<std::size_t>(y);
    return {k == 0 ? -infinity : (cuts[k - 1] - s) * precision,
            k == cuts.size() ? infinity : (cuts[k] - s) * precision};
  }
};

using Likelihoods = Family<Gaussian, Probit, Ordinal>;

}  // namespace sparsefm::gibbs
