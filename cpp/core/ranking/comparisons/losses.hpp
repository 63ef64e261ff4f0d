// Losses of a positive that is compared with negatives. s+ and s_1 .. s_m are their scores.
//
//   bpr      1/m sum_j log(1 + exp(s_j - s+))               (Rendle et al. 2009)
//   softmax  log(1 + sum_j exp(s_j - s+ - log(m p_j)))      (Bengio & Senecal 2008)
//            where p_j is the probability of j in a draw: the sum estimates that over all
//            negatives, so that this is the cross entropy of the positive among all. If all
//            negatives are there, m p_j is 1.
//   warp     L (1 + s_1 - s+),   L = log(1 + floor(n / t))
//            where item 1 is the first of the draws that has a score above s+ - 1, t is its number
//            and n how many negatives there are: n / t estimates the rank of the positive
//            (Weston, Bengio & Usunier 2011)
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "../../types.hpp"

namespace sparsefm::comparisons {

enum class RankingLoss : std::uint8_t { bpr, softmax, warp };

inline RankingLoss ranking_loss(std::string_view name) {
  if (name == "bpr") return RankingLoss::bpr;
  if (name == "softmax") return RankingLoss::softmax;
  if (name == "warp") return RankingLoss::warp;
  throw std::invalid_argument("there is no ranking loss '" + std::string(name) + "'");
}

/// Turns the scores s+, s_1 .. s_m into their slopes; returns the loss.
inline double bpr(double* scores, Index m) noexcept {
  const double positive = std::exchange(scores[0], 0), share = 1 / static_cast<double>(m);
  double loss = 0;
  for (Index j = 1; j <= m; ++j) {
    const double margin = scores[j] - positive;
    loss += share * (std::max(margin, 0.0) + std::log1p(std::exp(-std::abs(margin))));
    scores[j] = share / (1 + std::exp(-margin));
    scores[0] -= scores[j];
  }
  return loss;
}

/// The same for softmax, which gets s_j - log(m p_j) of negatives.
inline double softmax(double* scores, Index m) noexcept {
  const double largest = *std::max_element(scores, scores + m + 1), positive = scores[0];
  double sum = 0;
  for (Index j = 0; j <= m; ++j) sum += scores[j] = std::exp(scores[j] - largest);
  scores[0] = 0;
  for (Index j = 1; j <= m; ++j) {
    scores[j] /= sum;
    scores[0] -= scores[j];
  }
  return largest - positive + std::log(sum);
}

/// The weight L of a violation that was draw number `trial`, from 1, of n negatives.
inline double warp_weight(Index n, Index trial) noexcept {
  const Index rank = n / trial;
  return std::log1p(static_cast<double>(rank));
}

}  // namespace sparsefm::comparisons
