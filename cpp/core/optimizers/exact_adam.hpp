// Dense Adam's result at sparse cost.
//
// A dense step also moves every parameter that the batch does not touch: its gradient is zero, but
// its momentum carries on. A parameter touched at time a and next at time b misses n = b - a steps,
// and after the l-th of them m has decayed to m b1^l, v to v b2^l. What it misses sums to
//
//   M = sum_{l=1..n} c_{a+l} m b1^l / (sqrt(v) x^l + eps),    x = sqrt(b2).
//
// The denominator is (sqrt(v) + eps) (1 - y d_l) with y = sqrt(v) / (sqrt(v) + eps) in [0, 1) and
// d_l = 1 - x^l, which is small as long as b1^l is not. So for every v and eps
//
//   M = m / (sqrt(v) + eps) * sum_p D_p y^p,    D_p = sum_l c_{a+l} b1^l (1 - x^l)^p,
//
// a power series whose coefficients depend on a and b alone. D_p is the p-th finite difference of
// G_j = sum_l c_{a+l} r_j^l, r_j = b1 x^j, and with the table
//
//   R_j(a) = sum_{u>a} c_u r_j^(u-a)  to the end of the epoch,    G_j = R_j(a) - r_j^n R_j(b).
//
// All sums are of positive terms. The number of terms follows from b1, b2 and the precision; where
// the series converges too slowly (b1 near or above x), the missed steps are replayed one by one.
// Derivation and measurements: docs/exact_adam.md.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "adam.hpp"

namespace sparsefm {

template <class Real>
class ExactAdam {
 public:
  static constexpr int moments = 2;
  static constexpr bool catches_up = true;
  static constexpr int max_terms = 12;

  struct Missed {
    Index begin, end;                          // times a and b
    std::array<Real, max_terms> coefficients;  // D_p
    Real decay1, decay2;                       // b1^n, b2^n
  };

  explicit ExactAdam(const AdamSettings& settings)
      : settings_(settings),
        step_(settings, 0),
        memory_(effective_memory(settings.beta1 / std::sqrt(settings.beta2))),
        terms_(terms_needed(settings, memory_)) {}

  void begin_epoch(Index t, Index steps, double learning_rate) {
    rates_.resize(steps + 1);
    power1_.resize(steps + 1);
    root2_.resize(steps + 1);
    tails_.assign((steps + 1) * terms_, 0.0);
    const double x = std::sqrt(settings_.beta2);
    for (Index u = 0; u <= steps; ++u) {
      rates_[u] = u == 0 ? 0.0 : adam_rate(settings_, learning_rate, t + u);
      power1_[u] = std::pow(settings_.beta1, static_cast<double>(u));
      root2_[u] = std::pow(x, static_cast<double>(u));
    }
    for (Index a = steps - 1; a >= 0; --a) {
      double ratio = settings_.beta1;
      for (int j = 0; j < terms_; ++j, ratio *= x) {
        tails_[a * terms_ + j] = ratio * (rates_[a + 1] + tails_[(a + 1) * terms_ + j]);
      }
    }
  }

  void begin_step(Index step, Index) noexcept { step_.rate = static_cast<Real>(rates_[step + 1]); }

  Missed missed(Index a, Index b) const noexcept {
    Missed missed{};
    missed.begin = a;
    missed.end = b;
    const Index n = b - a;
    missed.decay1 = static_cast<Real>(power1_[n]);
    missed.decay2 = static_cast<Real>(root2_[n] * root2_[n]);
    std::array<double, max_terms> D;
    double decay = power1_[n];
    for (int j = 0; j < terms_; ++j, decay *= root2_[n]) {
      D[j] = tails_[a * terms_ + j] - decay * tails_[b * terms_ + j];
    }
    for (int p = 1; p < terms_; ++p) {
      for (int j = terms_ - 1; j >= p; --j) D[j] = D[j - 1] - D[j];
    }
    for (int p = 0; p < terms_; ++p) missed.coefficients[p] = static_cast<Real>(D[p]);
    return missed;
  }

  /// The step and the missed ones share their root and their division.
  template <class L>
  void apply(Real* theta, Index stride, const L& g, const Missed& missed) const noexcept {
    Eigen::Map<L> m(theta + stride), v(theta + 2 * stride);
    step_.remember(m, v, g);
    move<L>(theta, stride, step_.rate, missed);
  }

  template <class L>
  void skip(Real* theta, Index stride, const Missed& missed) const noexcept {
    move<L>(theta, stride, Real{0}, missed);
  }

 private:
  template <class L>
  void move(Real* theta, Index stride, Real rate, const Missed& missed) const noexcept {
    Eigen::Map<L> theta_(theta), m(theta + stride), v(theta + 2 * stride);
    const L root = v.sqrt();
    const L inverse = (root + step_.epsilon).inverse();
    if (terms_ == 0) {
      theta_ -= rate * m * inverse;
      replay(theta_, m, v, missed);
      return;
    }
    if (missed.begin == missed.end) {
      theta_ -= rate * m * inverse;
      return;
    }
    const L y = root * inverse;
    L series = L::Constant(missed.coefficients[terms_ - 1]);
    for (int p = terms_ - 2; p >= 0; --p) series = series * y + missed.coefficients[p];
    theta_ -= m * inverse * (series + rate);
    m *= missed.decay1;
    v *= missed.decay2;
  }

  /// One by one, until what is left is below rounding.
  template <class L>
  void replay(Eigen::Map<L>& theta, Eigen::Map<L>& m, Eigen::Map<L>& v,
              const Missed& missed) const noexcept {
    const Index last = std::min(missed.end, missed.begin + ((m == 0).all() ? 0 : memory_));
    L m_u = m, v_u = v;
    for (Index u = missed.begin + 1; u <= last; ++u) {
      m_u *= step_.beta1;
      v_u *= step_.beta2;
      theta -= static_cast<Real>(rates_[u]) * m_u / (v_u.sqrt() + step_.epsilon);
    }
    m *= missed.decay1;
    v *= missed.decay2;
  }

  /// Steps l after which rho^l, what a missed step moves relative to the first, is nothing.
  static Index effective_memory(double rho) noexcept {
    if (rho == 0) return 1;
    if (!(rho < 0.999)) return std::numeric_limits<Index>::max() / 2;
    return static_cast<Index>(std::log(1e-20) / std::log(rho)) + 1;
  }

  /// The least number of terms after which what is cut off, at most sum_l b1^l d_l^P / x^l, is
  /// below rounding relative to the whole, sum_l b1^l; 0 if no number of them will do.
  static int terms_needed(const AdamSettings& settings, Index memory) noexcept {
    if (settings.beta1 == 0) return 1;  // momentum is gone at once: D_0 = 0 is exact
    if (memory > 100'000) return 0;
    const double x = std::sqrt(settings.beta2);
    const double rho = settings.beta1 / x;
    for (int terms = 1; terms <= max_terms; ++terms) {
      double cut = 0;
      double rho_l = 1, x_l = 1;
      for (Index l = 1; l <= memory; ++l) {
        rho_l *= rho;
        x_l *= x;
        cut += rho_l * std::pow(1 - x_l, terms);
      }
      const double whole = settings.beta1 / (1 - settings.beta1);
      if (cut <= std::numeric_limits<Real>::epsilon() * whole) return terms;
    }
    return 0;
  }

  AdamSettings settings_;
  AdamStep<Real> step_;
  Index memory_;                // steps after which nothing is left of a moment's effect
  int terms_;                   // of the series; 0: replay
  std::vector<double> rates_;   // (steps + 1): c of the step that leads to time u
  std::vector<double> power1_;  // (steps + 1): b1^n
  std::vector<double> root2_;   // (steps + 1): sqrt(b2)^n
  std::vector<double> tails_;   // (steps + 1, terms): R_j(a)
};

}  // namespace sparsefm
