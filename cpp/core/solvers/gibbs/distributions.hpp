// Draws from the distributions of the sampler, for an item of a stage.
#pragma once

#include <cmath>

#include "philox.hpp"

namespace sparsefm::gibbs {

/// Standard normal numbers 2p and 2p + 1 of an item (Box and Muller).
inline Pair normals(const Randoms& randoms, Index item, Word p) noexcept {
  const auto u = randoms.uniforms(item, p);
  const double radius = std::sqrt(-2 * std::log(u.a)), angle = 6.283185307179586 * u.b;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// Gamma with rate 1 and any shape (Marsaglia and Tsang, 2000).
inline double gamma(const Randoms& randoms, Index item, double shape) noexcept {
  if (shape < 1) {
    const double u = randoms.uniforms(item, 1).b;
    return gamma(randoms, item, shape + 1) * std::pow(u, 1 / shape);
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (Word attempt = 0;; ++attempt) {
    const double x = normals(randoms, item, 2 * attempt).a;
    const double u = randoms.uniforms(item, 2 * attempt + 1).a;
    const double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
    if (v > 0 && std::log(u) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace sparsefm::gibbs
