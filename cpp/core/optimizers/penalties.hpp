// The penalties of a feature's parameters, (l2_linear w_i^2 + l2_factors |v_i|^2) / 2. They count
// once for every row in which the feature occurs.
#pragma once

#include "../settings.hpp"
#include "../types.hpp"

namespace sparsefm {

template <class Real>
class Penalties {
 public:
  explicit Penalties(const Settings& optimizer)
      : linear_(static_cast<Real>(optimizer["l2_linear"])),
        factors_(static_cast<Real>(optimizer["l2_factors"])) {}

  /// Gives each feature penalties of its own: two arrays (features,), borrowed. Null: all have one.
  void of_features(const Real* linear, const Real* factors) noexcept {
    linear_of_ = linear;
    factors_of_ = factors;
  }

  bool any() const noexcept {
    return linear_ != 0 || factors_ != 0 || linear_of_ != nullptr || factors_of_ != nullptr;
  }
  Real linear(Index i) const noexcept { return linear_of_ ? linear_of_[i] : linear_; }
  Real factors(Index i) const noexcept { return factors_of_ ? factors_of_[i] : factors_; }

  void prefetch(Index i) const noexcept {
    if (linear_of_) sparsefm::prefetch(linear_of_ + i);
    if (factors_of_) sparsefm::prefetch(factors_of_ + i);
  }

 private:
  Real linear_;
  Real factors_;
  const Real* linear_of_ = nullptr;
  const Real* factors_of_ = nullptr;
};

}  // namespace sparsefm
