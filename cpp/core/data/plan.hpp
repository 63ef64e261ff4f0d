// A plan: the rows of each batch, and the transpose of each batch.
//
// The rows of a plan never change, so any number of trainings may share it: every candidate of a
// search, every class of a one-vs-rest. Only the transposes in memory change: they are made on
// request and dropped when memory is needed. A shared pointer to a transpose keeps it alive.
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
  Index features() const;
  Index batches() const noexcept { return static_cast<Index>(transposes_.size()); }
  Index largest_batch() const noexcept { return std::min(batch_size_, size()); }

  /// The position of batch b's first row among the rows of the plan, and its rows.
  Index begin(Index b) const noexcept { return b * batch_size_; }
  std::span<const Index> rows(Index b) const noexcept {
    return rows_.subspan(begin(b), std::min(batch_size_, size() - begin(b)));
  }
  const Real* weights(Index b) const noexcept {
    return weights_ == nullptr ? nullptr : weights_ + begin(b);
  }

  /// Makes the missing transposes of some batches.
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
  mutable std::mutex mutex_;  // guards the pointers; the transposes themselves never change
  std::vector<std::shared_ptr<const Batch<Real>>> transposes_;
};

extern template class Plan<float>;
extern template class Plan<double>;

}  // namespace sparsefm
