// Losses of one target y and one score s. The link function is part of the loss, so values are
// finite for every finite score. `slope` is dL/ds. Targets of the classification losses are 0 or 1.
//
// A loss is a struct with a `name`, built from its `Settings`. To add one, write it here and list
// it in `PointwiseLosses`.
#pragma once

#include <algorithm>
#include <cmath>
#include <string_view>

#include "../settings.hpp"

namespace sparsefm {

struct Squared {
  static constexpr std::string_view name = "squared";
  explicit Squared(const Settings&) {}

  template <class Real>
  Real value(Real y, Real s) const noexcept {
    return Real(0.5) * (s - y) * (s - y);
  }
  template <class Real>
  Real slope(Real y, Real s) const noexcept {
    return s - y;
  }
};

/// Huber (1964): squared for small errors, and linear, along a tangent, for large ones. So no slope
/// is larger than `delta`.
struct Huber {
  static constexpr std::string_view name = "huber";
  explicit Huber(const Settings& settings) : delta(settings["delta"]) {}

  template <class Real>
  Real value(Real y, Real s) const noexcept {
    const Real distance = std::abs(s - y), bound = static_cast<Real>(delta);
    return distance <= bound ? Real(0.5) * distance * distance
                             : bound * (distance - Real(0.5) * bound);
  }
  template <class Real>
  Real slope(Real y, Real s) const noexcept {
    const Real bound = static_cast<Real>(delta);
    return std::clamp(s - y, -bound, bound);
  }

  double delta;
};

struct Logistic {
  static constexpr std::string_view name = "logistic";
  explicit Logistic(const Settings&) {}

  /// softplus(-z), z = (2y - 1) s, as max(-z, 0) + log(1 + exp(-|z|)): exp never overflows.
  template <class Real>
  Real value(Real y, Real s) const noexcept {
    const Real z = (2 * y - 1) * s;
    return std::max(-z, Real(0)) + std::log1p(std::exp(-std::abs(z)));
  }
  /// sigmoid(s) - y = -(2y - 1) sigmoid(-z): no cancellation when the score is right.
  template <class Real>
  Real slope(Real y, Real s) const noexcept {
    const Real sign = 2 * y - 1;
    const Real z = sign * s;
    const Real decay = std::exp(-std::abs(z));
    return -sign * (z >= 0 ? decay : Real(1)) / (1 + decay);
  }
};

struct Hinge {
  static constexpr std::string_view name = "hinge";
  explicit Hinge(const Settings&) {}

  template <class Real>
  Real value(Real y, Real s) const noexcept {
    return std::max(Real(0), 1 - (2 * y - 1) * s);
  }
  template <class Real>
  Real slope(Real y, Real s) const noexcept {
    const Real sign = 2 * y - 1;
    return sign * s < 1 ? -sign : Real(0);
  }
};

using PointwiseLosses = Family<Squared, Huber, Logistic, Hinge>;

}  // namespace sparsefm
