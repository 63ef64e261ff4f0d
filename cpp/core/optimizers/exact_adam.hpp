// Dense Adam's result at sparse cost.
//
// A dense step also moves every parameter that the batch does not touch: its gradient is zero, but
// its momentum is not. A parameter touched at time a and next at time b misses n = b - a steps, and
// after the l-th of them m has decayed to m b1^l, v to v b2^l. The missed updates add up to
//
//   M = sum_{l=1..n} c_{a+l} m b1^l / (sqrt(v) x^l + eps),    x = sqrt(b2).
//
// The denominator is (sqrt(v) + eps) (1 - y d_l) with y = sqrt(v) / (sqrt(v) + eps) in [0, 1) and
// d_l = 1 - x^l, which is small as long as b1^l is not. So for every v and eps
//
//   M = m / (sqrt(v) + eps) * sum_p D_p y^p,    D_p = sum_l c_{a+l} b1^l (1 - x^l)^p,
//
// a power series whose coefficients depend only on a and n. Each step tabulates them for every
// possible n, as running sums over l of c_{a+l} times constants, b1^l (1 - x^l)^p. All terms are
// positive, so there is no cancellation. With b1 = 0.9 the terms are negligible after about 200
// steps (float32; 400 in float64); with b1 = 0.99 after ten times as many.
//
// The number of terms follows from b1, b2 and the precision. If the series converges too slowly
// (b1 near or above x), the missed steps are replayed one by one. Derivation and measurements:
// docs/exact_adam.md.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "adam.hpp"

namespace sparsefm {

template <class Real>
class ExactAdam {
 public:
  static constexpr std::string_view name = "exact_adam";
  static constexpr int moments = 2;
  static constexpr bool catches_up = true;

  struct Missed {
    Index steps;
    const Real* coefficients;  // D_p
    Real decay1, decay2;       // b1^n, b2^n
  };

  explicit ExactAdam(const Settings& settings)
      : constants_(settings),
        step_(constants_, 0),
        memory_(effective_memory(constants_)),
        terms_(terms_needed(constants_, memory_)) {
    if (terms_ == 0) return;
    kernel_.setZero(terms_, memory_ + 1);
    for (Index l = 1; l <= memory_; ++l) {
      const auto steps = static_cast<double>(l);
      const double d = -std::expm1(steps * std::log(constants_.beta2) / 2);
      double value = std::pow(constants_.beta1, steps);
      for (int p = 0; p < terms_; ++p, value *= d) kernel_(p, l) = value;
    }
    coefficients_.setZero(terms_, memory_ + 1);
  }

  void begin_segment(Index t, Index steps, double learning_rate) {
    rates_.resize(steps + 1);
    decay1_.resize(steps + 1);
    decay2_.resize(steps + 1);
    for (Index u = 0; u <= steps; ++u) {
      rates_[u] = u == 0 ? 0.0 : adam_rate(constants_, learning_rate, t + u);
      decay1_[u] = static_cast<Real>(std::pow(constants_.beta1, static_cast<double>(u)));
      decay2_[u] = static_cast<Real>(std::pow(constants_.beta2, static_cast<double>(u)));
    }
    stand_at(0);
  }

  void begin_step(Index step, Index) noexcept {
    step_.rate = static_cast<Real>(rates_[step + 1]);
    stand_at(step + 1);
  }

  Missed missed(Index n) const noexcept {
    return {n, coefficients_.data() + std::min(n, memory_) * terms_, decay1_[n], decay2_[n]};
  }

  template <class L>
  void apply(Real* parameter, Index stride, const L& g, const Missed& missed) const noexcept {
    L m = Eigen::Map<const L>(parameter + stride), v = Eigen::Map<const L>(parameter + 2 * stride);
    step_.remember(m, v, g);
    move<L>(parameter, stride, m, v, step_.rate, missed);
  }

  template <class L>
  void skip(Real* parameter, Index stride, const Missed& missed) const noexcept {
    const L m = Eigen::Map<const L>(parameter + stride);
    const L v = Eigen::Map<const L>(parameter + 2 * stride);
    move<L>(parameter, stride, m, v, Real{0}, missed);
  }

 private:
  static constexpr int max_terms = 12;

  /// Tabulates D_p of every n, for time a.
  void stand_at(Index a) noexcept {
    now_ = a;
    if (terms_ == 0) return;
    const Index longest = std::min(memory_, static_cast<Index>(rates_.size()) - 1 - a);
    Eigen::Array<double, Eigen::Dynamic, 1, 0, max_terms, 1> sums;
    sums.setZero(terms_);
    for (Index n = 1; n <= longest; ++n) {
      sums += rates_[a + n] * kernel_.col(n);
      coefficients_.col(n) = sums.template cast<Real>();
    }
  }

  /// Makes a step of the given rate and the missed steps, which share its root and its division.
  template <class L>
  void move(Real* parameter, Index stride, const L& m, const L& v, Real rate,
            const Missed& missed) const noexcept {
    const L root = v.sqrt();
    const L inverse = (root + step_.epsilon).inverse();
    L sum = L::Constant(rate);
    if (terms_ > 0) {
      const L y = root * inverse;
      L series = L::Constant(missed.coefficients[terms_ - 1]);
      for (int p = terms_ - 2; p >= 0; --p) series = series * y + missed.coefficients[p];
      sum += series;
    }
    Eigen::Map<L> theta(parameter);
    theta -= m * inverse * sum;
    if (terms_ == 0) replay(theta, m, v, missed.steps);
    Eigen::Map<L>(parameter + stride) = m * missed.decay1;
    Eigen::Map<L>(parameter + 2 * stride) = v * missed.decay2;
  }

  /// Makes the missed steps one by one, until the rest is below rounding.
  template <class L>
  void replay(Eigen::Map<L>& theta, L m, L v, Index steps) const noexcept {
    if ((m == 0).all()) return;
    for (Index l = 1; l <= std::min(steps, memory_); ++l) {
      m *= step_.beta1;
      v *= step_.beta2;
      theta -= static_cast<Real>(rates_[now_ + l]) * m / (v.sqrt() + step_.epsilon);
    }
  }

  /// The number of steps l after which a missed update, at most rho^l of the first one with
  /// rho = b1 / x, is below rounding.
  static Index effective_memory(const AdamConstants& constants) noexcept {
    constexpr double nothing = std::numeric_limits<Real>::epsilon() / 8;
    if (constants.beta1 == 0) return 1;
    const double rho = constants.beta1 / std::sqrt(constants.beta2);
    if (!(rho < 0.9999)) return std::numeric_limits<Index>::max() / 2;
    return static_cast<Index>(std::log(nothing * (1 - rho)) / std::log(rho)) + 1;
  }

  /// The smallest number of terms P for which the truncation error, at most
  /// sum_l b1^l d_l^P / x^l, is below rounding relative to sum_l b1^l; 0 if there is none.
  static int terms_needed(const AdamConstants& constants, Index memory) noexcept {
    if (constants.beta1 == 0) return 1;  // there is no momentum: D_0 = 0 is exact
    if (memory > 100'000) return 0;
    const double x = std::sqrt(constants.beta2);
    const double rho = constants.beta1 / x;
    for (int terms = 1; terms <= max_terms; ++terms) {
      double cut = 0;
      double rho_l = 1, x_l = 1;
      for (Index l = 1; l <= memory; ++l) {
        rho_l *= rho;
        x_l *= x;
        cut += rho_l * std::pow(1 - x_l, terms);
      }
      const double whole = constants.beta1 / (1 - constants.beta1);
      if (cut <= std::numeric_limits<Real>::epsilon() * whole) return terms;
    }
    return 0;
  }

  AdamConstants constants_;
  AdamStep<Real> step_;
  Index memory_;                       // steps after which a moment has no effect
  int terms_;                          // of the series; 0: replay
  Index now_ = 0;                      // a
  std::vector<double> rates_;          // (steps + 1): c of the step that leads to time u
  std::vector<Real> decay1_, decay2_;  // (steps + 1): b1^n, b2^n
  Eigen::ArrayXXd kernel_;             // (terms, memory + 1): b1^l (1 - x^l)^p
  Eigen::ArrayXX<Real> coefficients_;  // (terms, memory + 1): D_p of now_ and n
};

static_assert(OptimizerOf<ExactAdam<float>, float>);

}  // namespace sparsefm
