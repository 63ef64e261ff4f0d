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
      : linear(static_cast<Real>(optimizer["l2_linear"])),
        factors_(static_cast<Real>(optimizer["l2_factors"])) {}

  /// Gives the factors of each feature a penalty of their own: (features,), borrowed.
  void of_features(const Real* factors) noexcept { of_features_ = factors; }

  bool any() const noexcept { return linear != 0 || factors_ != 0 || of_features_ != nullptr; }
  Real factors(Index i) const noexcept { return of_features_ ? of_features_[i] : factors_; }

  void prefetch(Index i) const noexcept {
    if (of_features_) sparsefm::prefetch(of_features_ + i);
  }

  Real linear;

 private:
  Real factors_;
  const Real* of_features_ = nullptr;
};

}  // namespace sparsefm
