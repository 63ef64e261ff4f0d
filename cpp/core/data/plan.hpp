// A plan: which rows of a matrix make up each batch, and the transpose of each batch.
//
// What a plan says never changes, so any number of trainings may go by it: every candidate of a
// search, every class of a one-vs-rest. Only how much of it is in memory does: transposes are made
// when they are asked for and dropped when their memory is needed. Who holds a transpose keeps it.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "batch.hpp"

namespace sparsefm {

template <class Real>
class Plan {
 public:
  /// The arrays are borrowed. `rows` are rows of X in training order; batches are consecutive
  /// pieces of `batch_size`. `weights` are those of `rows`, positive; null: all one.
  Plan(const MatrixView<Real>& X, std::span<const Index> rows, const Real* weights,
       Index batch_size);

  const MatrixView<Real>& matrix() const noexcept { return X_; }
  Index features() const noexcept;
  Index batches() const noexcept { return static_cast<Index>(transposes_.size()); }
  Index largest_batch() const noexcept { return std::min(batch_size_, size()); }

  /// Where batch b begins among all rows of the plan, and which rows it has.
  Index begin(Index b) const noexcept { return b * batch_size_; }
  std::span<const Index> rows(Index b) const noexcept {
    return rows_.subspan(begin(b), std::min(batch_size_, size() - begin(b)));
  }
  const Real* weights(Index b) const noexcept {
    return weights_ == nullptr ? nullptr : weights_ + begin(b);
  }

  /// Makes the transposes of those of the batches that have none.
  void transpose(std::span<const Index> batches, int threads);
  void forget(std::span<const Index> batches);

  /// The transpose of a batch, or null.
  std::shared_ptr<const Batch<Real>> transposed(Index b) const;

 private:
  Index size() const noexcept { return static_cast<Index>(rows_.size()); }

  MatrixView<Real> X_;
  std::span<const Index> rows_;
  const Real* weights_;
  Index batch_size_;
  mutable std::mutex mutex_;  // of the pointers; what they point at never changes
  std::vector<std::shared_ptr<const Batch<Real>>> transposes_;
};

extern template class Plan<float>;
extern template class Plan<double>;

}  // namespace sparsefm
