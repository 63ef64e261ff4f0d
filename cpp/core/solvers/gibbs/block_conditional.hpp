// The Gaussian that the parameters theta = (w, v) of a feature have given everything else. For the
// change delta of theta:
//
//   P = alpha G + diag(lambda) = L L'      delta ~ N(P^-1 (alpha b + lambda (mu - theta)), P^-1)
//
// It is drawn for several features at once, one in each lane of vector registers. That makes the
// Cholesky factors nearly free.
#pragma once

#include <Eigen/Core>

#include "moments.hpp"

namespace sparsefm::gibbs {

/// Precisions and means that the parameters of a field have a priori, w first.
struct Prior {
  const double* precisions;
  const double* means;
};

template <int lanes>
class BlockConditional {
 public:
  explicit BlockConditional(Index rank)
      : size_(rank + 1),
        P_(lanes, size_ * (size_ + 1) / 2),
        rhs_(lanes, size_),
        xi_(lanes, size_),
        inverse_(lanes, size_) {
    P_.setOnes();
    rhs_.setZero();
    xi_.setZero();
  }

  /// Puts a feature into a lane. `theta(c)`: its parameters.
  template <class Theta>
  void set(int lane, const MomentsView& moments, Index width, double alpha, const Prior& prior,
           const Theta& theta) noexcept {
    P_(lane, 0) = alpha * moments.one() + prior.precisions[0];
    rhs_(lane, 0) = alpha * moments.e() + prior.precisions[0] * (prior.means[0] - theta(0));
    Index at = 1;
    for (Index c = 1; c < size_; ++c) {
      const double* row = moments.hh() + (c - 1) * width;
      P_(lane, at++) = alpha * moments.h1()[c - 1];
      for (Index d = 1; d <= c; ++d) P_(lane, at++) = alpha * row[d - 1];
      P_(lane, at - 1) += prior.precisions[c];
      rhs_(lane, c) =
          alpha * moments.he()[c - 1] + prior.precisions[c] * (prior.means[c] - theta(c));
    }
  }

  /// Standard normal number c of the feature in a lane; zero at first.
  double& noise(int lane, Index c) noexcept { return xi_(lane, c); }

  /// Replaces P by L and the right-hand side by delta. Each pivot must be larger than `tolerance`
  /// times the diagonal it comes from, or too many of its digits cancelled.
  void draw(double tolerance) noexcept {
    good_ = L::Ones();
    factorize(tolerance);
    for (Index i = 0; i < size_; ++i) {  // L y = rhs
      L sum = at(rhs_, i);
      for (Index m = 0; m < i; ++m) sum -= P(i, m) * at(rhs_, m);
      at(rhs_, i) = sum * at(inverse_, i);
    }
    rhs_ += xi_;
    for (Index i = size_ - 1; i >= 0; --i) {  // L' delta = y + xi
      at(rhs_, i) *= at(inverse_, i);
      for (Index m = 0; m < i; ++m) at(rhs_, m) -= P(i, m) * at(rhs_, i);
    }
  }

  /// Whether the draw in a lane is to be trusted.
  bool good(int lane) const noexcept { return good_[lane] != 0 && rhs_.row(lane).allFinite(); }
  double delta(int lane, Index c) const noexcept { return rhs_(lane, c); }

 private:
  using L = Lanes<double, lanes>;
  using Rows = Eigen::Array<double, lanes, Eigen::Dynamic>;

  static Eigen::Map<L> at(Rows& rows, Index i) noexcept {
    return Eigen::Map<L>(rows.data() + i * lanes);
  }
  Eigen::Map<L> P(Index i, Index j) noexcept { return at(P_, i * (i + 1) / 2 + j); }

  void factorize(double tolerance) noexcept {
    for (Index j = 0; j < size_; ++j) {
      const L diagonal = P(j, j);
      L pivot = diagonal;
      for (Index m = 0; m < j; ++m) pivot -= P(j, m).square();
      good_ = (pivot > tolerance * diagonal).select(good_, 0.0);
      at(inverse_, j) = pivot.sqrt().inverse();
      Index i = j + 1;
      for (; i + 4 <= size_; i += 4) eliminate<4>(i, j);
      for (; i < size_; ++i) eliminate<1>(i, j);
    }
  }

  /// L_ij = (P_ij - sum_m L_im L_jm) / L_jj for `rows` rows from i on.
  template <int rows>
  void eliminate(Index i, Index j) noexcept {
    L sums[rows];
    for (int n = 0; n < rows; ++n) sums[n] = P(i + n, j);
    for (Index m = 0; m < j; ++m) {
      const L other = P(j, m);
      for (int n = 0; n < rows; ++n) sums[n] -= P(i + n, m) * other;
    }
    for (int n = 0; n < rows; ++n) P(i + n, j) = sums[n] * at(inverse_, j);
  }

  Index size_;
  Rows P_;  // by rows below the diagonal
  Rows rhs_, xi_, inverse_;
  L good_ = L::Ones();
};

}  // namespace sparsefm::gibbs
