// The random numbers of the sampler by themselves, for tests of their distributions.
#pragma once

#include <array>
#include <cstdint>

#include "../../types.hpp"

namespace sparsefm::gibbs {

std::array<std::uint32_t, 4> philox_words(const std::array<std::uint32_t, 4>& counter,
                                          const std::array<std::uint32_t, 2>& key) noexcept;

/// Of the items 0, 1, ... of the stage "noise" of a sweep.
void gamma_draws(double* out, Index size, double shape, std::uint64_t seed, Index sweep) noexcept;
void normal_draws(double* out, Index size, std::uint64_t seed, Index sweep) noexcept;

/// The x > above with P(X > x) = u P(X > above), for a standard normal X.
double normal_draw_above(double above, double u) noexcept;

/// A draw of a standard normal number between a and b; see `normal_between`.
double normal_draw_between(double a, double b, double u) noexcept;

/// The six numbers of `normal_interval`.
std::array<double, 6> normal_interval_parts(double a, double b) noexcept;

}  // namespace sparsefm::gibbs
