// The normal distribution's functions, accurate in its tails.
#pragma once

#include <algorithm>
#include <cmath>

namespace sparsefm::gibbs {

/// c0 + c1 x + c2 x^2 + ...
template <class... Coefficients>
constexpr double polynomial(double x, double c0, Coefficients... c) noexcept {
  if constexpr (sizeof...(c) == 0) {
    return c0;
  } else {
    return c0 + x * polynomial(x, c...);
  }
}

inline double normal_density(double x) noexcept {
  return 0.3989422804014327 * std::exp(-0.5 * x * x);
}

inline double normal_cdf(double x) noexcept { return 0.5 * std::erfc(-0.7071067811865476 * x); }

/// The x with normal_cdf(x) = p, to 16 digits (Wichura, Algorithm AS 241, 1988).
inline double normal_quantile(double p) noexcept {
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q *
           polynomial(r, 3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3,
                      1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                      3.3430575583588128105e4, 2.5090809287301226727e3) /
           polynomial(r, 1, 4.2313330701600911252e1, 6.8718700749205790830e2,
                      5.3941960214247511077e3, 2.1213794301586595867e4, 3.9307895800092710610e4,
                      2.8729085735721942674e4, 5.2264952788528545610e3);
  }
  double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  double x = 0;
  if (r <= 5) {
    r -= 1.6;
    x = polynomial(r, 1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
                   3.64784832476320460504, 1.27045825245236838258, 2.41780725177450611770e-1,
                   2.27238449892691845833e-2, 7.74545014278341407640e-4) /
        polynomial(r, 1, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
                   1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                   1.05075007164441684324e-9);
  } else {
    r -= 5;
    x = polynomial(r, 6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
                   2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                   2.71155556874348757815e-5, 2.01033439929228813265e-7) /
        polynomial(r, 1, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
                   1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
                   1.42151175831644588870e-7, 2.04426310338993978564e-15);
  }
  return q < 0 ? -x : x;
}

/// Mills' ratio (1 - Phi(x)) / phi(x) for x >= 5, from its continued fraction.
inline double mills_ratio(double x) noexcept {
  double tail = x;
  for (int n = 60; n > 0; --n) tail = x + n / tail;
  return 1 / tail;
}

/// P(X > b) / P(X > a), for a normal X and 5 <= a <= b.
inline double tail_ratio(double a, double b) noexcept {
  return std::exp(std::log(mills_ratio(b) / mills_ratio(a)) - 0.5 * (b - a) * (b + a));
}

/// The x > a with P(X > x) = u P(X > a), for a normal X: a draw of X given X > a, if u is uniform.
inline double normal_above(double a, double u) noexcept {
  if (a < 5) return -normal_quantile(u * normal_cdf(-a));
  // P(X > a) would underflow: Newton's method for log P(X > x) - log P(X > a) - log u = 0.
  const double log_u = std::log(u), log_ratio = std::log(mills_ratio(a));
  double x = std::sqrt(a * a - 2 * log_u);
  for (int step = 0; step < 5; ++step) {
    const double ratio = mills_ratio(x);
    x += ratio * (std::log(ratio) - log_ratio - 0.5 * (x - a) * (x + a) - log_u);
  }
  return x;
}

/// The x in (a, b) with P(X > x) = u P(X > a) + (1 - u) P(X > b), for a normal X: a draw of X given
/// a < X < b, if u is uniform. If most of (a, b) is negative, it is that of (-b, -a), negated.
inline double normal_between(double a, double b, double u) noexcept {
  if (a + b < 0) return -normal_between(-b, -a, u);
  if (a >= 5) return std::clamp(normal_above(a, u + (1 - u) * tail_ratio(a, b)), a, b);
  const double above_b = normal_cdf(-b);
  const double above_x = above_b + u * (normal_cdf(-a) - above_b);
  return std::clamp(-normal_quantile(above_x), a, b);
}

/// log P(a < X < b) for a normal X, and its derivatives by the bounds. The second derivatives are
/// those of the negative logarithm.
struct Interval {
  double log, a, b;  // the logarithm; its slopes
  double aa, bb, ab;
};

inline Interval normal_interval(double a, double b) noexcept {
  if (a + b < 0) {
    const Interval other = normal_interval(-b, -a);
    return {other.log, -other.b, -other.a, other.bb, other.aa, other.ab};
  }
  double log = 0, at_a = 0, at_b = 0;  // at_: density / P
  if (a < 5) {
    const double P = normal_cdf(-a) - normal_cdf(-b);
    log = std::log(P);
    at_a = normal_density(a) / P;
    at_b = normal_density(b) / P;
  } else {  // P would underflow
    const double ratio = tail_ratio(a, b), tail = mills_ratio(a);
    log = std::log(tail) - 0.5 * a * a - 0.9189385332046727 + std::log1p(-ratio);
    at_a = 1 / (tail * (1 - ratio));
    at_b = ratio == 0 ? 0 : ratio / (mills_ratio(b) * (1 - ratio));
  }
  const double bb = at_b == 0 ? 0 : at_b * (at_b + b);  // b may be infinite
  return {log, -at_a, at_b, at_a * (at_a - a), bb, -at_a * at_b};
}

}  // namespace sparsefm::gibbs
