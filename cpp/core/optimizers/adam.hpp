// Adam (Kingma & Ba 2015), as Apache SystemML's scripts run it: epsilon beside the uncorrected
// root.
//
//   m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,   theta -= c_t m / (sqrt(v) + eps),
//   c_t = learning_rate sqrt(1 - b2^t) / (1 - b1^t),    t = 1, 2, 3 ... over all steps.
//
// An optimizer is a class with
//   moments                            numbers remembered of each parameter
//   begin_segment(t, steps, rate)        `steps` steps follow, the first one is number t + 1
//   begin_step(step, rows)             0 <= step < steps; rows of its batch
//   missed(n)                          what a parameter misses that the next n steps do not touch,
//                                      counted from the step just begun or the segment's start
//   apply(theta, stride, g, missed)    one step of parameters `theta`, then the missed ones;
//                                      moment q of theta lies at theta + q * stride
//   catches_up                         whether missed steps move parameters; if so,
//   skip(theta, stride, missed)        the missed ones alone
#pragma once

#include <cmath>

#include "../types.hpp"

namespace sparsefm {

struct AdamSettings {
  double beta1;
  double beta2;
  double epsilon;
  bool exact;  // dense Adam's result (exact_adam.hpp), or the lazy one's
};

/// c_t; expm1 keeps its digits while b^t is close to 1.
inline double adam_rate(const AdamSettings& settings, double learning_rate, Index t) noexcept {
  const auto one_minus_power = [t](double b) {
    return -std::expm1(static_cast<double>(t) * std::log(b));
  };
  return learning_rate * std::sqrt(one_minus_power(settings.beta2)) /
         one_minus_power(settings.beta1);
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

  AdamStep(const AdamSettings& s, double rate_) noexcept
      : beta1(static_cast<Real>(s.beta1)),
        beta2(static_cast<Real>(s.beta2)),
        epsilon(static_cast<Real>(s.epsilon)),
        complement1(static_cast<Real>(1 - s.beta1)),
        complement2(static_cast<Real>(1 - s.beta2)),
        rate(static_cast<Real>(rate_)) {}

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

/// Moments of a parameter move only when a batch touches it: the "lazy" Adam.
template <class Real>
class LazyAdam {
 public:
  static constexpr int moments = 2;
  static constexpr bool catches_up = false;
  struct Missed {};

  explicit LazyAdam(const AdamSettings& settings) : settings_(settings), step_(settings, 0) {}

  void begin_segment(Index t, Index, double learning_rate) {
    t_ = t;
    learning_rate_ = learning_rate;
  }

  void begin_step(Index step, Index) noexcept {
    step_.rate = static_cast<Real>(adam_rate(settings_, learning_rate_, t_ + step + 1));
  }

  Missed missed(Index) const noexcept { return {}; }

  template <class L>
  void apply(Real* theta, Index stride, const L& g, Missed) const noexcept {
    Eigen::Map<L> theta_(theta), m(theta + stride), v(theta + 2 * stride);
    step_.apply(theta_, m, v, g);
  }

 private:
  AdamSettings settings_;
  AdamStep<Real> step_;
  Index t_ = 0;
  double learning_rate_ = 0;
};

}  // namespace sparsefm
