// The comparisons of a batch: what each positive is compared with, and the slopes of its loss.
#pragma once

#include <vector>

#include "losses.hpp"
#include "ranker.hpp"
#include "side.hpp"

namespace sparsefm::comparisons {

/// Of some positives, one after another: the items that each is compared with, its own first, and
/// their slopes dL/ds. A positive that there is nothing to compare with has no items.
template <class Real>
struct Comparisons {
  std::vector<std::int32_t> items;
  std::vector<Real> slopes;
  double loss = 0;  // sum of shares * losses

  void clear() noexcept {
    items.clear();
    slopes.clear();
    loss = 0;
  }
};

/// Compares positives with negatives. Each thread has one.
template <class Real>
class Comparer {
 public:
  Comparer(const RankingTask<Real>& task, RankingLoss loss, Index width)
      : task_(task), loss_(loss), width_(width) {}

  /// Compares a positive, whose context has the factors P (width,). Adds its items to `out`, and
  /// writes share * dL/dP to D (width,). Returns how many items they are.
  template <class Pieces>
  Index compare(Index positive, const Draws<Real>& draws, const Side<Real>& items,
                const StateView<Real>& state, const Real* P, Real* D, double share,
                Comparisons<Real>& out) {
    found_.assign(1, task_.positives.items[positive]);
    find(positive, draws);
    const Index room = static_cast<Index>(std::max<std::size_t>(found_.size(), 2)) * width_;
    if (Q_.size() < room) Q_.resize(room);
    slopes_.resize(found_.size());
    for (std::size_t j = 0; j < found_.size(); ++j) {
      if (j + 2 < found_.size()) items.prefetch(state, found_[j + 2]);
      slopes_[j] = score<Pieces>(items, state, j, P);
    }
    const double loss = loss_ == RankingLoss::warp
                            ? violation<Pieces>(positive, draws, items, state, P)
                            : compared(positive, draws);
    std::fill_n(D, width_, Real{0});
    if (found_.size() < 2) return 0;
    out.loss += share * loss;
    for (std::size_t j = 0; j < found_.size(); ++j) {
      out.items.push_back(found_[j]);
      out.slopes.push_back(static_cast<Real>(slopes_[j]));
      const auto part = static_cast<Real>(share * slopes_[j]);
      Pieces::visit(width_, [&]<class L>(Index f) {
        Eigen::Map<L>(D + f) += part * Eigen::Map<const L>(factors(j) + f);
      });
    }
    return static_cast<Index>(found_.size());
  }

 private:
  Real* factors(std::size_t j) noexcept { return Q_.data() + static_cast<Index>(j) * width_; }

  /// The score of found item j; its factors go to row j of Q.
  template <class Pieces>
  double score(const Side<Real>& items, const StateView<Real>& state, std::size_t j,
               const Real* P) noexcept {
    const double alone = items.template score<Pieces>(state, found_[j], factors(j));
    Real product = 0;
    Pieces::visit(width_, [&]<class L>(Index f) {
      product += (Eigen::Map<const L>(P + f) * Eigen::Map<const L>(factors(j) + f)).sum();
    });
    return alone + product;
  }

  /// Draws the negatives of bpr and softmax, or takes all. Those of warp depend on their scores.
  void find(Index positive, const Draws<Real>& draws) {
    if (loss_ == RankingLoss::warp) return;
    if (task_.negatives == 0) {
      for (Index item = draws.begin(positive); item < draws.end(positive); ++item) {
        const auto one = static_cast<std::int32_t>(item);
        if (draws.allows(positive, one)) found_.push_back(one);
      }
      return;
    }
    NegativesOf<Real> negatives(draws, positive);
    for (Index number = 0; number < task_.negatives; ++number) {
      const auto one = negatives.next();
      if (one < 0) return;
      found_.push_back(one);
    }
  }

  /// From the scores of the found items to their slopes; returns the loss.
  double compared(Index positive, const Draws<Real>& draws) noexcept {
    const auto m = static_cast<Index>(found_.size()) - 1;
    if (m == 0) return 0;
    if (loss_ == RankingLoss::bpr) return bpr(slopes_.data(), m);
    if (task_.negatives > 0) {
      const NegativesOf<Real> negatives(draws, positive);
      const double common = std::log(static_cast<double>(m) / negatives.probability_of_all());
      const bool alike = draws.table().keep == nullptr;
      double log_probability = std::log(negatives.probability(0));
      for (Index j = 1; j <= m; ++j) {
        if (!alike) log_probability = std::log(negatives.probability(found_[j]));
        slopes_[j] -= common + log_probability;
      }
    }
    return softmax(slopes_.data(), m);
  }

  /// Looks for a negative whose score is above that of the positive, less one; returns the loss.
  template <class Pieces>
  double violation(Index positive, const Draws<Real>& draws, const Side<Real>& items,
                   const StateView<Real>& state, const Real* P) {
    const double bar = slopes_[0] - 1;
    NegativesOf<Real> negatives(draws, positive);
    for (Index trial = 1; trial <= task_.negatives; ++trial) {
      const auto one = negatives.next();
      if (one < 0) break;
      found_.resize(1);
      found_.push_back(one);
      const double excess = score<Pieces>(items, state, 1, P) - bar;
      if (excess <= 0) continue;
      const double weight = warp_weight(negatives.count(), trial);
      slopes_ = {-weight, weight};
      return weight * excess;
    }
    found_.resize(1);
    return 0;
  }

  const RankingTask<Real>& task_;
  RankingLoss loss_;
  Index width_;
  std::vector<std::int32_t> found_;
  std::vector<double> slopes_;  // of the found items; their scores before
  Eigen::ArrayX<Real> Q_;       // (found, width): their factors
};

}  // namespace sparsefm::comparisons
