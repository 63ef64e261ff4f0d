// The first loop of a step, over rows: scores, slopes and the terms for the features.
#pragma once

#include <numeric>
#include <vector>

#include "../interactions/interaction.hpp"
#include "../losses/loss.hpp"
#include "../parallel.hpp"
#include "gatherer.hpp"
#include "segment.hpp"

namespace sparsefm {

/// Sums over the rows of a batch, each with its share of the batch's weight.
struct BatchSums {
  double loss = 0;
  double slope = 0;  // dL/dw0
};

template <class Real, InteractionOf<Real> Interaction>
class RowPass {
 public:
  static constexpr Index block = 32;      // rows; it determines the order of addition
  static constexpr Index most_sums = 64;  // of gradients of weights, so as not to need much memory

  RowPass(const Interaction& interaction, std::unique_ptr<const Loss<Real>> loss, Index width)
      : interaction_(interaction),
        loss_(std::move(loss)),
        width_(width),
        row_size_(interaction.vectors() * width),
        sums_size_(interaction.sums_size(width)) {}

  /// Allocates scratch for batches of up to `rows` rows.
  void reserve(Index rows) {
    for (auto* scratch : {&scores_, &losses_, &slopes_, &shares_}) scratch->resize(rows);
    T_.resize(row_size_ * rows);
    block_sums_.resize(rows / block + 1);
    if constexpr (Interaction::has_weights) {
      weight_gradients_.resize(interaction_.weights(), std::min(rows / block + 1, most_sums));
    }
  }

  /// Computes e_r = omega_r dL/ds and the terms of the rows of a batch. omega_r is the row's share
  /// of the batch: its weight / the sum of weights.
  template <class Pieces, class Values>
  BatchSums run(Team& team, const CsrView<Values>& X, const StateView<Real>& state,
                const Segment<Real>& segment, Index step) {
    const auto rows = segment.rows(step);
    const auto size = static_cast<Index>(rows.size());
    const Real* weights = segment.weights(step);
    const double total =
        weights ? std::accumulate(weights, weights + size, 0.0) : static_cast<double>(size);
    const Index blocks = (size + block - 1) / block;
    const Index at_once = blocks_at_once(size);
    sums_.resize(sums_size_ * block * team.size());
    team.for_each((blocks + at_once - 1) / at_once, [&](Index task, int member) {
      Real* const sums = sums_.data() + member * block * sums_size_;
      if constexpr (Interaction::has_weights) weight_gradients_.col(task).setZero();
      for (Index number = task * at_once; number < std::min((task + 1) * at_once, blocks);
           ++number) {
        const Index begin = number * block, end = std::min(begin + block, size);
        for (Index r = begin; r < end; ++r) {
          shares_[r] = static_cast<Real>((weights ? weights[r] : Real{1}) / total);
        }
        score<Pieces>(X, state, rows, begin, end, sums);
        block_sums_[number] = hand_out<Pieces>(segment.targets(step), begin, end);
        if constexpr (Interaction::has_weights) {
          interaction_.template add_weight_gradients<Pieces>(
              sums, slopes_.data() + begin, end - begin, width_, &weight_gradients_(0, task));
        }
      }
    });
    BatchSums sums;
    for (Index number = 0; number < blocks; ++number) {
      sums.loss += block_sums_[number].loss;
      sums.slope += block_sums_[number].slope;
    }
    sums.loss *= total;
    return sums;
  }

  RowTerms<Real> terms() const noexcept { return {slopes_.data(), T_.data(), row_size_}; }

  /// The position in a row's terms of the first number for feature i.
  Index place(Index i) const noexcept { return interaction_.of(i) * width_; }

  /// The gradient of parameter n of the interaction, over the `rows` rows of the batch.
  Real weight_gradient(Index n, Index rows) const noexcept {
    const Index rows_at_once = block * blocks_at_once(rows);
    const Index tasks = (rows + rows_at_once - 1) / rows_at_once;
    double sum = 0;
    for (Index task = 0; task < tasks; ++task) sum += weight_gradients_(n, task);
    return static_cast<Real>(sum);
  }

  /// omega_r of the rows of the batch.
  const std::vector<Real>& shares() const noexcept { return shares_; }

 private:
  /// s_r, the sums and T_r of the rows [begin, end) of a batch.
  template <class Pieces, class Values>
  void score(const CsrView<Values>& X, const StateView<Real>& state, std::span<const Index> rows,
             Index begin, Index end, Real* sums) noexcept {
    const auto size = static_cast<Index>(rows.size());
    for (Index r = begin; r < end; ++r) {
      // Rows are in random order: prefetch first their offsets, then their columns, then the
      // parameters of these columns.
      if (r + 16 < size) X.offsets.prefetch(rows[r + 16]);
      if (r + 8 < size) X.prefetch(rows[r + 8]);
      if (r + 2 < size) prefetch(X.row(rows[r + 2]), state);
      const RowSums<Real> out{sums + (r - begin) * sums_size_, T_.data() + r * row_size_};
      scores_[r] = interaction_.template score<Pieces>(X.row(rows[r]), state, out);
    }
  }

  /// How many blocks a task has; more than one where there would be too many sums.
  static constexpr Index blocks_at_once(Index rows) noexcept {
    if constexpr (!Interaction::has_weights) return 1;
    return (rows + block * most_sums - 1) / (block * most_sums);
  }

  template <class Values>
  void prefetch(const CsrRow<Values>& row, const StateView<Real>& state) const noexcept {
    state.prefetch(row);
    for (Index p = 0; p < row.size; ++p) interaction_.prefetch(row.features[p]);
  }

  /// e_r of the rows [begin, end) of a batch, and e_r T_r unless the interaction scales late.
  template <class Pieces>
  BatchSums hand_out(const Real* targets, Index begin, Index end) noexcept {
    const Index size = end - begin;
    loss_->values(size, targets + begin, scores_.data() + begin, losses_.data() + begin);
    loss_->slopes(size, targets + begin, scores_.data() + begin, slopes_.data() + begin);
    BatchSums sums;
    for (Index r = begin; r < end; ++r) {
      slopes_[r] *= shares_[r];
      sums.loss += static_cast<double>(shares_[r]) * losses_[r];
      sums.slope += slopes_[r];
      if constexpr (!Interaction::scales_late) {
        Real* const T = T_.data() + r * row_size_;
        Pieces::visit(row_size_, [&]<class L>(Index f) { Eigen::Map<L>(T + f) *= slopes_[r]; });
      }
    }
    return sums;
  }

  [[no_unique_address]] Interaction interaction_;
  std::unique_ptr<const Loss<Real>> loss_;
  Index width_;
  Index row_size_;  // of T
  Index sums_size_;

  // By row of the batch.
  std::vector<Real> scores_, losses_, slopes_, shares_;
  Eigen::ArrayX<Real> T_;  // (rows, row_size); aligned for vector registers, unlike std::vector

  Eigen::ArrayX<Real> sums_;               // (members, block, sums_size)
  std::vector<BatchSums> block_sums_;      // by block of rows
  Eigen::ArrayXX<Real> weight_gradients_;  // (weights, tasks), columns first
};

}  // namespace sparsefm
