// Training by mini-batches. A step uses its batch twice, in two parallel loops:
//
//   rows      r:  s_r and S_r,  e_r = omega_r dL/ds,  T_r from S_r and e_r
//   features  i:  dw_i = sum_r e_r x_ri,  dv_i from sum_r x_ri T_r and sum_r e_r x_ri^2, their update
//
// omega_r is the row's share of the batch, weight_r / sum of weights. What S, T and dv are is the
// interaction's to say. Every parameter has one writer and every sum a fixed order, so the number
// of threads does not change a bit of the result.
#pragma once

#include <cmath>
#include <numeric>

#include "../interactions/interaction.hpp"
#include "../model/norm.hpp"
#include "../optimizers/optimizer.hpp"
#include "../parallel.hpp"
#include "gatherer.hpp"
#include "segment.hpp"
#include "trainer.hpp"

namespace sparsefm {

template <class Real, OptimizerOf<Real> Optimizer, InteractionOf<Real> Interaction>
class Minibatch final : public Trainer<Real> {
 public:
  Minibatch(const StateView<Real>& state, std::unique_ptr<const Loss<Real>> loss,
            const Settings& optimizer, int threads)
      : state_(state),
        loss_(std::move(loss)),
        optimizer_(optimizer),
        l2_linear_(static_cast<Real>(optimizer["l2_linear"])),
        l2_factors_(static_cast<Real>(optimizer["l2_factors"])),
        row_size_(interaction_.row_size(state.width)),
        threads_(threads) {}

  void begin_segment(const Plan<Real>& plan, const Real* targets, std::span<const Index> order,
                     Index t, double learning_rate) override {
    segment_ = Segment<Real>(plan, targets, order);
    optimizer_.begin_segment(t, segment_.steps(), learning_rate);
    const Index rows = plan.largest_batch();
    for (auto* scratch : {&scores_, &losses_, &slopes_, &shares_}) scratch->resize(rows);
    T_.resize(row_size_ * rows);
    partial_sums_.resize(rows / row_block + 1);
    if constexpr (Optimizer::catches_up) {
      const auto first = segment_.link(state_.features);
      const int team_for_all = team_size(threads_, state_.features / feature_block,
                                         state_.features * state_.width);
      with_team(team_for_all, [&](Team& team) {
        team.for_blocks(state_.features, feature_block, [&](Index, Index begin, Index end) {
          for (Index i = begin; i < end; ++i) catch_up(i, first[i]);
        });
      });
    }
  }

  double run(Index begin, Index end, double loss) override {
    std::visit(
        [&](const auto& X) {
          with_team(team_for_steps(begin, end), [&](Team& team) {
            for (Index step = begin; step < end && std::isfinite(loss); ++step) {
              optimizer_.begin_step(step, static_cast<Index>(segment_.rows(step).size()));
              loss += walk_rows(team, X, step);
              walk_features(team, X, step);
            }
          });
        },
        segment_.matrix());
    return loss;
  }

 private:
  // Fixed sizes: they decide the order of addition, the number of threads must not.
  static constexpr Index row_block = 32;
  static constexpr Index feature_block = 64;
  static constexpr Index ahead = 16;  // features whose cache lines are under way

  using One = Lanes<Real, 1>;

  struct PartialSums {
    double loss = 0;
    double slope = 0;
  };

  int team_for_steps(Index begin, Index end) const noexcept {
    Index longest = 0, work = 0;
    for (Index step = begin; step < end; ++step) {
      const auto& batch = segment_.batch(step);
      longest = std::max({longest, static_cast<Index>(segment_.rows(step).size()) / row_block,
                          batch.size() / feature_block});
      work += batch.starts.back() * (state_.width + 1);
    }
    return team_size(threads_, longest, work);
  }

  /// Brings feature i from the start of the segment to step `first`, its first.
  void catch_up(Index i, Index first) noexcept {
    if (first == 0) return;
    const auto missed = optimizer_.missed(first);
    optimizer_.template skip<One>(state_.linear_block(i), 1, missed);
    for_lanes<Real>(state_.width, [&]<class L>(Index f) {
      optimizer_.template skip<L>(state_.factors(i) + f, state_.width, missed);
    });
    state_.squared_norm(i) = squared_norm(state_.factors(i), state_.width);
  }

  /// Scores, slopes and T of a batch; the step of w0. Returns the sum of weight * loss.
  template <class Values>
  double walk_rows(Team& team, const CsrView<Values>& X, Index step) {
    const auto rows = segment_.rows(step);
    const auto size = static_cast<Index>(rows.size());
    const Real* weights = segment_.weights(step);
    double total_weight = static_cast<double>(size);
    if (weights) total_weight = std::accumulate(weights, weights + size, 0.0);

    team.for_blocks(size, row_block, [&](Index block, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        shares_[r] = static_cast<Real>((weights ? weights[r] : Real{1}) / total_weight);
      }
      score_rows(X, rows, begin, end);
      partial_sums_[block] = hand_out(segment_.targets(step), begin, end);
    });
    PartialSums sums;
    for (Index block = 0; block * row_block < size; ++block) {
      sums.loss += partial_sums_[block].loss;
      sums.slope += partial_sums_[block].slope;
    }
    optimizer_.apply(state_.bias_block, 1, One(static_cast<Real>(sums.slope)),
                     optimizer_.missed(0));
    return sums.loss * total_weight;
  }

  /// s_r and S_r of the rows [begin, end) of a batch.
  template <class Values>
  void score_rows(const CsrView<Values>& X, std::span<const Index> rows, Index begin,
                  Index end) noexcept {
    const auto size = static_cast<Index>(rows.size());
    for (Index r = begin; r < end; ++r) {
      // Rows come in random order: first their offsets are under way, then their columns, then
      // what those columns point at.
      if (r + 16 < size) X.offsets.prefetch(rows[r + 16]);
      if (r + 8 < size) X.prefetch(rows[r + 8]);
      if (r + 2 < size) state_.prefetch(X.row(rows[r + 2]));
      scores_[r] = interaction_.score(X.row(rows[r]), state_, T_.data() + r * row_size_);
    }
  }

  /// e_r and T_r of the rows [begin, end) of a batch; their sums.
  PartialSums hand_out(const Real* targets, Index begin, Index end) noexcept {
    const Index size = end - begin;
    loss_->values(size, targets + begin, scores_.data() + begin, losses_.data() + begin);
    loss_->slopes(size, targets + begin, scores_.data() + begin, slopes_.data() + begin);
    PartialSums sums;
    for (Index r = begin; r < end; ++r) {
      slopes_[r] *= shares_[r];
      sums.loss += static_cast<double>(shares_[r]) * losses_[r];
      sums.slope += slopes_[r];
      interaction_.terms(T_.data() + r * row_size_, row_size_, slopes_[r]);
    }
    return sums;
  }

  template <class Values>
  void walk_features(Team& team, const CsrView<Values>&, Index step) {
    const auto& batch = segment_.batch(step);
    const RowTerms<Real> terms{slopes_.data(), T_.data(), row_size_};
    gatherer_.template begin<Values>(team, batch, terms, state_.width,
                                     [this](Index i) { return interaction_.place(i); });
    team.for_blocks(batch.size(), feature_block, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        if (j + ahead < batch.size()) state_.prefetch_update(batch.features[j + ahead]);
        update_feature<Values>(batch, j, step);
      }
    });
  }

  template <class Values>
  void update_feature(const Batch<Real>& batch, Index j, Index step) noexcept {
    const Index i = batch.features[j];
    const double share = share_of(batch.template occurrences<Values>(j), step);
    const auto missed = optimizer_.missed(Optimizer::catches_up ? segment_.gap(step, j) : 0);

    const auto sums = gatherer_.template scalars<Values>(j);
    Real* w = state_.linear_block(i);
    optimizer_.apply(w, 1, One(static_cast<Real>(sums.linear + l2_linear_ * share * *w)), missed);
    // The penalty's gradient is a multiple of v_i, as is what `self` takes out.
    const auto self = static_cast<Real>(sums.self - l2_factors_ * share);
    const Index place = interaction_.place(i);
    Real norm = 0;
    for_lanes<Real>(state_.width, [&]<class L>(Index f) {
      Eigen::Map<L> v(state_.factors(i) + f);
      const L xT = gatherer_.template factors<Values, L>(j, place, f);
      const L gradient = interaction_.gradient(xT, self, v);
      optimizer_.apply(v.data(), state_.width, gradient, missed);
      norm += v.square().sum();
    });
    state_.squared_norm(i) = norm;
  }

  /// What share of the batch's weight the rows have in which a feature occurs.
  template <class Values>
  double share_of(const Occurrences<Values>& occurrences, Index step) const noexcept {
    if (segment_.weights(step) == nullptr) {
      return static_cast<double>(occurrences.size) * shares_[0];
    }
    if (l2_linear_ == 0 && l2_factors_ == 0) return 0;  // nobody asks
    double share = 0;
    for (Index p = 0; p < occurrences.size; ++p) share += shares_[occurrences.rows[p]];
    return share;
  }

  StateView<Real> state_;
  std::unique_ptr<const Loss<Real>> loss_;
  Optimizer optimizer_;
  [[no_unique_address]] Interaction interaction_;
  Real l2_linear_, l2_factors_;
  Index row_size_;  // of S and T
  int threads_;
  Segment<Real> segment_;

  // Scratch of a step, by row of the batch.
  std::vector<Real> scores_, losses_, slopes_, shares_;
  Eigen::ArrayX<Real> T_;  // (rows, row_size); unlike std::vector aligned for whole registers
  std::vector<PartialSums> partial_sums_;
  Gatherer<Real> gatherer_;
};

}  // namespace sparsefm
