// The engine behind `Trainer`: one instance per kind of values, optimizer and register width.
#pragma once

#include <cmath>
#include <iterator>
#include <numeric>

#include "batch.hpp"
#include "gradient.hpp"
#include "parallel.hpp"
#include "score.hpp"
#include "trainer.hpp"

namespace sparsefm {

template <class Real, class Values, class Optimizer, int lanes>
class BatchTrainer final : public Trainer {
 public:
  BatchTrainer(const TrainingTask<Real>& task, const StateView<Real>& state, Optimizer optimizer)
      : task_(task),
        X_(std::get<CsrView<Values>>(task.X)),
        state_(state),
        optimizer_(std::move(optimizer)),
        rows_(static_cast<Index>(task.rows.size())),
        batches_((rows_ + task.batch_size - 1) / task.batch_size),
        scores_(std::min(rows_, task.batch_size)),
        losses_(scores_.size()),
        slopes_(scores_.size()),
        shares_(scores_.size()),
        T_(state.width * scores_.size()),
        partial_sums_(scores_.size() / row_block + 1) {
    with_team(team_for_features(), [this](Team& team) {
      team.for_blocks(state_.features, feature_block, [this](Index, Index begin, Index end) {
        for (Index i = begin; i < end; ++i) refresh_norm(i);
      });
    });
  }

  void plan(std::span<const Index> batches) override {
    std::vector<Index> unplanned;
    std::copy_if(batches.begin(), batches.end(), std::back_inserter(unplanned),
                 [this](Index b) { return !batches_[b].planned(); });
    const auto tasks = static_cast<Index>(unplanned.size());
    const Index work = X_.nonzeros() / std::max<Index>(batches_.size(), 1) * tasks;
    std::vector<std::unique_ptr<Slots>> slots(task_.threads);  // one a thread, made when needed
    with_team(team_size(task_.threads, tasks, work), [&](Team& team) {
      team.for_each(tasks, [&](Index task, int member) {
        const Index b = unplanned[task];
        auto& mine = slots[member];
        if (!mine) mine = std::make_unique<Slots>(X_.features);
        batches_[b] = transpose<Real>(X_, batch_rows(b), batch_size(b), *mine);
      });
    });
  }

  void forget(std::span<const Index> batches) override {
    for (const Index b : batches) batches_[b] = {};
  }

  Index plan_bytes(Index batch) const override {
    return batches_[batch].planned() ? batches_[batch].bytes() : 0;
  }

  void begin_segment(std::span<const Index> order, Index t, double learning_rate) override {
    order_.assign(order.begin(), order.end());
    const auto steps = static_cast<Index>(order_.size());
    optimizer_.begin_segment(t, steps, learning_rate);
    if constexpr (Optimizer::catches_up) {
      const auto first = link_batches();
      with_team(team_for_features(), [&](Team& team) {
        team.for_blocks(state_.features, feature_block, [&](Index, Index begin, Index end) {
          for (Index i = begin; i < end; ++i) catch_up(i, first[i]);
        });
      });
    }
  }

  double run(Index begin, Index end, double loss) override {
    with_team(team_for_steps(begin, end), [&](Team& team) {
      for (Index step = begin; step < end && std::isfinite(loss); ++step) {
        optimizer_.begin_step(step, batch_size(order_[step]));
        loss += walk_rows(team, order_[step]);
        walk_features(team, batches_[order_[step]], step);
      }
    });
    return loss;
  }

 private:
  // Fixed sizes: they decide the order of addition, the number of threads must not.
  static constexpr Index row_block = 32;
  static constexpr Index feature_block = 64;

  struct PartialSums {
    double loss = 0;
    double slope = 0;
  };

  int team_for_features() const noexcept {
    return team_size(task_.threads, state_.features / feature_block,
                     state_.features * state_.width);
  }

  int team_for_steps(Index begin, Index end) const noexcept {
    Index longest = 0, work = 0;
    for (Index step = begin; step < end; ++step) {
      const auto& batch = batches_[order_[step]];
      longest =
          std::max({longest, batch_size(order_[step]) / row_block, batch.size() / feature_block});
      work += batch.starts.back() * (state_.width + 1);
    }
    return team_size(task_.threads, longest, work);
  }

  const Index* batch_rows(Index b) const noexcept {
    return task_.rows.data() + b * task_.batch_size;
  }
  Index batch_size(Index b) const noexcept {
    return std::min(task_.batch_size, rows_ - b * task_.batch_size);
  }

  void refresh_norm(Index i) noexcept {
    Real norm = 0;
    for (Index f = 0; f < state_.width; f += lanes) {
      norm += Eigen::Map<const Lanes<Real, lanes>>(state_.factors(i) + f).square().sum();
    }
    state_.squared_norm(i) = norm;
  }

  /// Tells each feature of each batch the step at which it comes next; returns the step at which
  /// each feature of X comes first. The end of the segment stands for never.
  std::vector<std::int32_t> link_batches() {
    const auto steps = static_cast<Index>(order_.size());
    std::vector<std::int32_t> first(state_.features, static_cast<std::int32_t>(steps));
    for (Index step = steps - 1; step >= 0; --step) {
      auto& batch = batches_[order_[step]];
      batch.next.resize(batch.features.size());
      for (Index j = 0; j < batch.size(); ++j) {
        if (j + ahead < batch.size()) sparsefm::prefetch(&first[batch.features[j + ahead]]);
        batch.next[j] = first[batch.features[j]];
        first[batch.features[j]] = static_cast<std::int32_t>(step);
      }
    }
    return first;
  }

  /// Brings feature i from the start of the segment to step `first`, its first.
  void catch_up(Index i, Index first) noexcept {
    if (first == 0) return;
    const auto missed = optimizer_.missed(first);
    optimizer_.template skip<Lanes<Real, 1>>(state_.linear(i), 1, missed);
    for (Index f = 0; f < state_.width; f += lanes) {
      optimizer_.template skip<Lanes<Real, lanes>>(state_.factors(i) + f, state_.width, missed);
    }
    refresh_norm(i);
  }

  /// Forward pass, slopes and T of a batch; the step of w0. Returns the sum of weight * loss.
  double walk_rows(Team& team, Index b) {
    const Index rows = batch_size(b);
    const Real* weights = task_.weights ? task_.weights + b * task_.batch_size : nullptr;
    double total_weight = static_cast<double>(rows);
    if (weights) total_weight = std::accumulate(weights, weights + rows, 0.0);

    team.for_blocks(rows, row_block, [&](Index block, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        shares_[r] = static_cast<Real>((weights ? weights[r] : Real{1}) / total_weight);
      }
      partial_sums_[block] = walk_row_block(b, rows, begin, end);
    });
    PartialSums sums;
    for (Index block = 0; block * row_block < rows; ++block) {
      sums.loss += partial_sums_[block].loss;
      sums.slope += partial_sums_[block].slope;
    }
    using One = Lanes<Real, 1>;
    optimizer_.template apply<One>(state_.bias_, 1, One(static_cast<Real>(sums.slope)),
                                   optimizer_.missed(0));
    return sums.loss * total_weight;
  }

  PartialSums walk_row_block(Index b, Index size, Index begin, Index end) noexcept {
    const Index* rows = batch_rows(b);
    for (Index r = begin; r < end; ++r) {
      // Rows come in random order: first their offsets are under way, then their columns, then
      // what those columns point at.
      if (r + 16 < size) X_.offsets.prefetch(rows[r + 16]);
      if (r + 8 < size) X_.prefetch(rows[r + 8]);
      if (r + 2 < size) prefetch(X_.row(rows[r + 2]));
      scores_[r] = score<lanes>(X_.row(rows[r]), state_, T_.data() + r * state_.width);
    }
    const Real* targets = task_.targets + b * task_.batch_size + begin;
    task_.loss.values(end - begin, targets, scores_.data() + begin, losses_.data() + begin);
    task_.loss.slopes(end - begin, targets, scores_.data() + begin, slopes_.data() + begin);

    PartialSums sums;
    for (Index r = begin; r < end; ++r) {
      slopes_[r] *= shares_[r];
      sums.loss += static_cast<double>(shares_[r]) * losses_[r];
      sums.slope += slopes_[r];
      for (Index f = 0; f < state_.width; f += lanes) {
        Eigen::Map<Lanes<Real, lanes>>(T_.data() + r * state_.width + f) *= slopes_[r];
      }
    }
    return sums;
  }

  void prefetch(const CsrRow<Values>& row) const noexcept {
    for (Index p = 0; p < row.size; ++p) state_.prefetch(row.features[p], false);
  }

  void walk_features(Team& team, const Batch<Real>& batch, Index step) {
    gatherer_.begin(team, batch, {slopes_.data(), T_.data(), state_.width});
    team.for_blocks(batch.size(), feature_block, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        if (j + ahead < batch.size()) state_.prefetch(batch.features[j + ahead], true);
        update_feature(batch, j, step);
      }
    });
  }

  void update_feature(const Batch<Real>& batch, Index j, Index step) noexcept {
    using One = Lanes<Real, 1>;
    using L = Lanes<Real, lanes>;
    const Index i = batch.features[j];
    const double share = share_of(batch.template occurrences<Values>(j));
    const auto missed = optimizer_.missed(Optimizer::catches_up ? batch.next[j] - (step + 1) : 0);

    const auto sums = gatherer_.scalars(j);
    Real* w = state_.linear(i);
    optimizer_.apply(w, 1, One(static_cast<Real>(sums.linear + task_.l2_linear * share * *w)),
                     missed);
    const auto pull = static_cast<Real>(task_.l2_factors * share - sums.self);
    Real norm = 0;
    for (Index f = 0; f < state_.width; f += lanes) {
      Eigen::Map<L> v(state_.factors(i) + f);
      const L gradient = gatherer_.template factors<L>(j, f) + pull * v;
      optimizer_.apply(v.data(), state_.width, gradient, missed);
      norm += v.square().sum();
    }
    state_.squared_norm(i) = norm;
  }

  /// What share of the batch's weight the rows have in which a feature occurs.
  double share_of(const Occurrences<Values>& occurrences) const noexcept {
    if (task_.weights == nullptr) return static_cast<double>(occurrences.size) * shares_[0];
    if (task_.l2_linear == 0 && task_.l2_factors == 0) return 0;  // nobody asks
    double share = 0;
    for (Index p = 0; p < occurrences.size; ++p) share += shares_[occurrences.rows[p]];
    return share;
  }

  static constexpr Index ahead = 16;  // features whose cache lines are under way

  TrainingTask<Real> task_;
  CsrView<Values> X_;
  StateView<Real> state_;
  Optimizer optimizer_;
  Index rows_;
  std::vector<Batch<Real>> batches_;
  std::vector<Index> order_;

  // Scratch of a step, by row of the batch.
  std::vector<Real> scores_, losses_, slopes_, shares_;
  Eigen::ArrayX<Real> T_;  // (rows, width); unlike std::vector aligned for whole registers
  std::vector<PartialSums> partial_sums_;
  Gatherer<Real, Values> gatherer_;
};

}  // namespace sparsefm
