// Squared loss over all pairs of a context c and an item i, minimised by block least squares:
//
//   s_ci = a_c + b_i + <p_c, q_i>        p_c = sum_f x_cf v_f, a_c = w0 + sum_f w_f x_cf + (pairs
//                                        within the context); q_i, b_i likewise, without w0
//   L = sum_{(c,i) positive} omega_ci (s_ci - 1)^2 + alpha sum_{all (c,i)} s_ci^2
//       + sum_f lambda_f (w_f^2 + |v_f|^2)
//
// s_ci is the score of a factorization machine for the row that has the features of c and of i. It
// is linear in theta_f = (w_f, v_f): for a feature of contexts its derivative is
// z = x_cf [1, q_i + r_cf], with r_cf = p_c - x_cf v_f. So one step finds the best theta_f, given
// all the rest:
//
//   H = sum_c [ sum_{i positive} omega_ci z z' + alpha sum_i z z' ] + diag(lambda_f)
//   theta_f += H^-1 ( sum_c [ sum_{i positive} omega_ci (1 - s_ci) z - alpha sum_i s_ci z ]
//                     - lambda_f theta_f )
//
// The sums over all N items are those of one item in the middle, N times, and of how the others lie
// around it. With means q and b, S = sum_i (q_i - q)(q_i - q)' and t = sum_i (q_i - q)(b_i - b):
//
//   sum_i z z'   = N z z' in the middle + x^2 S          (S: of the part of v_f)
//   sum_i s_ci z = N s z in the middle  + x (S p_c + t)
//
// For the items it is the same, with the contexts around their middle. An epoch takes
// O((contexts + items + positives) k^2) for each feature that a row has, and O(k^3) for each
// feature. Features that share no row are independent, and are updated at once; others one after
// the other. w0 has no penalty, and is updated last, when the sums over the positives, which the
// objective needs, are known.
//
// Products are of type Real; sums over 64 pairs are, too, and all others are double, as is the
// Cholesky factorization. If float has too few digits for it, a feature's sums are made in double.
//
// Sources: Hu, Koren and Volinsky, Collaborative filtering for implicit feedback datasets, ICDM
// 2008 (all pairs, least squares); Bayer, He, Kanagal and Rendle, A generic coordinate descent
// framework for learning from implicit feedback, WWW 2017 (features: k-separable models); Rendle,
// Krichene, Zhang and Koren, Revisiting the performance of iALS on item recommendation benchmarks,
// RecSys 2022 (alpha and lambda_f).
#pragma once

#include <memory>

#include "../../data/csr_view.hpp"

namespace sparsefm::all_pairs {

/// Parameters, in arrays that the caller owns, and the weights in the loss.
template <class Real>
struct AllPairsView {
  Real* w0 = nullptr;                 // (1,)
  Real* w = nullptr;                  // (features,)
  Real* V = nullptr;                  // (features, rank)
  const double* penalties = nullptr;  // (features,): lambda, not negative
  Index features = 0, rank = 0;
  double alpha = 0;  // not negative
};

template <class Real>
class AllPairs {
 public:
  virtual ~AllPairs() = default;

  /// Makes the parameters of each feature the best there are given the others, and returns L. Those
  /// of features without rows stay as they are. Throws std::overflow_error if numbers are too large
  /// for Real, or a feature has no best parameters; parameters are finite then, but only some of
  /// them have been changed.
  virtual double epoch(int threads) = 0;

  /// Returns L. Throws std::overflow_error if it is too large.
  virtual double objective(int threads) = 0;
};

/// Everything is borrowed. `contexts` and `items` have `features` columns, and no feature occurs in
/// both; `positives` is (contexts, items), with positive weights.
template <class Real>
std::unique_ptr<AllPairs<Real>> make_all_pairs(const MatrixView<Real>& contexts,
                                               const MatrixView<Real>& items,
                                               const MatrixView<Real>& positives,
                                               const AllPairsView<Real>& view);

extern template std::unique_ptr<AllPairs<float>> make_all_pairs(const MatrixView<float>&,
                                                                const MatrixView<float>&,
                                                                const MatrixView<float>&,
                                                                const AllPairsView<float>&);
extern template std::unique_ptr<AllPairs<double>> make_all_pairs(const MatrixView<double>&,
                                                                 const MatrixView<double>&,
                                                                 const MatrixView<double>&,
                                                                 const AllPairsView<double>&);

}  // namespace sparsefm::all_pairs
