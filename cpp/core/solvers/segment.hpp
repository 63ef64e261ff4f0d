// The next steps of a trainer: batches of a plan in some order, with their targets.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "../data/plan.hpp"

namespace sparsefm {

template <class Real>
class Segment {
 public:
  Segment() = default;
  Segment(const Plan<Real>& plan, const Real* targets, std::span<const Index> order)
      : plan_(&plan), targets_(targets), order_(order.begin(), order.end()) {
    transposes_.reserve(order_.size());
    for (const Index b : order_) transposes_.push_back(plan.transposed(b));
  }

  Index steps() const noexcept { return static_cast<Index>(order_.size()); }
  const MatrixView<Real>& matrix() const noexcept { return plan_->matrix(); }
  std::span<const Index> rows(Index step) const noexcept { return plan_->rows(order_[step]); }
  const Real* weights(Index step) const noexcept { return plan_->weights(order_[step]); }
  const Real* targets(Index step) const noexcept { return targets_ + plan_->begin(order_[step]); }
  const Batch<Real>& batch(Index step) const noexcept { return *transposes_[step]; }

  /// Records, for each feature of each batch, the next step in which it occurs. Returns the first
  /// step of each of all features. The end of the segment stands for never.
  std::vector<std::int32_t> link(Index features) {
    std::vector<std::int32_t> first(features, static_cast<std::int32_t>(steps()));
    next_.resize(order_.size());
    for (Index step = steps() - 1; step >= 0; --step) {
      const auto& present = batch(step).features;
      const auto size = static_cast<Index>(present.size());
      next_[step].resize(size);
      for (Index j = 0; j < size; ++j) {
        if (j + ahead < size) prefetch(&first[present[j + ahead]]);
        next_[step][j] = first[present[j]];
        first[present[j]] = static_cast<std::int32_t>(step);
      }
    }
    return first;
  }

  /// The number of steps that miss the feature at position j of this step's batch, before the next
  /// step that touches it or the end of the segment.
  Index gap(Index step, Index j) const noexcept { return next_[step][j] - (step + 1); }

 private:
  static constexpr Index ahead = 16;  // features to prefetch ahead

  const Plan<Real>* plan_ = nullptr;
  const Real* targets_ = nullptr;
  std::vector<Index> order_;
  std::vector<std::shared_ptr<const Batch<Real>>> transposes_;
  std::vector<std::vector<std::int32_t>> next_;  // by step and position
};

}  // namespace sparsefm
