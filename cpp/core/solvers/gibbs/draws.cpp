#include "draws.hpp"

#include "distributions.hpp"
#include "normal.hpp"

namespace sparsefm::gibbs {

std::array<std::uint32_t, 4> philox_words(const std::array<std::uint32_t, 4>& counter,
                                          const std::array<std::uint32_t, 2>& key) noexcept {
  return philox(counter, key);
}

void gamma_draws(double* out, Index size, double shape, std::uint64_t seed, Index sweep) noexcept {
  const Randoms randoms(seed, 0, sweep, Stage::noise);
  for (Index item = 0; item < size; ++item) out[item] = gamma(randoms, item, shape);
}

void normal_draws(double* out, Index size, std::uint64_t seed, Index sweep) noexcept {
  const Randoms randoms(seed, 0, sweep, Stage::noise);
  for (Index item = 0; item < size; ++item) out[item] = normals(randoms, item, 0).a;
}

double normal_draw_above(double above, double u) noexcept { return normal_above(above, u); }

double normal_draw_between(double a, double b, double u) noexcept {
  return normal_between(a, b, u);
}

std::array<double, 6> normal_interval_parts(double a, double b) noexcept {
  const auto of = normal_interval(a, b);
  return {of.log, of.a, of.b, of.aa, of.bb, of.ab};
}

}  // namespace sparsefm::gibbs
