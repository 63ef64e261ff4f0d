// Adam (Kingma & Ba 2015), as in Apache SystemML's scripts: epsilon is added to the root, which is
// not bias-corrected.
//
//   m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,   theta -= c_t m / (sqrt(v) + eps),
//   c_t = learning_rate sqrt(1 - b2^t) / (1 - b1^t),    t = 1, 2, 3 ... over all steps.
#pragma once

#include <cmath>

#include "optimizer.hpp"

namespace sparsefm {

struct AdamConstants {
  double beta1;
  double beta2;
  double epsilon;

  explicit AdamConstants(const Settings& settings)
      : beta1(settings["beta1"]), beta2(settings["beta2"]), epsilon(settings["epsilon"]) {}
};

/// Returns c_t; expm1 is accurate while b^t is close to 1.
inline double adam_rate(const AdamConstants& constants, double learning_rate, Index t) noexcept {
  const auto one_minus_power = [t](double b) {
    return -std::expm1(static_cast<double>(t) * std::log(b));
  };
  return learning_rate * std::sqrt(one_minus_power(constants.beta2)) /
         one_minus_power(constants.beta1);
}

/// The arithmetic of one step.
template <class Real>
struct AdamStep {
  Real beta1;
  Real beta2;
  Real epsilon;
  Real complement1;  // 1 - beta1, rounded once
  Real complement2;
  Real rate;  // c_t

  AdamStep(const AdamConstants& s, double c_t) noexcept
      : beta1(static_cast<Real>(s.beta1)),
        beta2(static_cast<Real>(s.beta2)),
        epsilon(static_cast<Real>(s.epsilon)),
        complement1(static_cast<Real>(1 - s.beta1)),
        complement2(static_cast<Real>(1 - s.beta2)),
        rate(static_cast<Real>(c_t)) {}

  template <class Array, class Gradient>
  void remember(Array& m, Array& v, const Gradient& g) const noexcept {
    m = beta1 * m + complement1 * g;
    v = beta2 * v + complement2 * g.square();
  }

  template <class Array, class Gradient>
  void apply(Array& theta, Array& m, Array& v, const Gradient& g) const noexcept {
    remember(m, v, g);
    theta -= rate * m / (v.sqrt() + epsilon);
  }
};

/// "Lazy" Adam: the moments of a parameter change only when a batch touches it.
template <class Real>
class LazyAdam {
 public:
  static constexpr std::string_view name = "adam";
  static constexpr int moments = 2;
  static constexpr bool catches_up = false;
  struct Missed {};

  explicit LazyAdam(const Settings& settings) : constants_(settings), step_(constants_, 0) {}

  void begin_segment(Index t, Index, double learning_rate) noexcept {
    t_ = t;
    learning_rate_ = learning_rate;
  }

  void begin_step(Index step, Index) noexcept {
    step_.rate = static_cast<Real>(adam_rate(constants_, learning_rate_, t_ + step + 1));
  }

  Missed missed(Index) const noexcept { return {}; }

  template <class L>
  void apply(Real* parameter, Index stride, const L& g, Missed) const noexcept {
    Eigen::Map<L> theta(parameter), m(parameter + stride), v(parameter + 2 * stride);
    step_.apply(theta, m, v, g);
  }

 private:
  AdamConstants constants_;
  AdamStep<Real> step_;
  Index t_ = 0;
  double learning_rate_ = 0;
};

static_assert(OptimizerOf<LazyAdam<float>, float>);

}  // namespace sparsefm
