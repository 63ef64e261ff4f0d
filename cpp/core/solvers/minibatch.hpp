// Training with mini-batches. A step uses its batch twice, in two parallel loops:
//
//   rows      r:  s_r,  e_r = omega_r dL/ds,  T_r                                 (`row_pass.hpp`)
//   features  i:  dw_i = sum_r e_r x_ri,  dv_i from sum_r e_r x_ri T_r and sum_r e_r x_ri^2, their
//   update
//
// omega_r is the row's share of the batch, weight_r / sum of weights. The interaction defines s and
// T, and may have weights of its own, which come last. Every parameter has one writer and every sum
// a fixed order, so the result is the same bits on any number of threads.
#pragma once

#include <cmath>

#include "../model/norm.hpp"
#include "../optimizers/optimizer.hpp"
#include "../optimizers/penalties.hpp"
#include "row_pass.hpp"
#include "shares.hpp"
#include "trainer.hpp"

namespace sparsefm {

template <class Real, OptimizerOf<Real> Optimizer, InteractionOf<Real> Interaction>
class Minibatch final : public Trainer<Real> {
 public:
  Minibatch(const StateView<Real>& state, const Interaction& interaction,
            std::unique_ptr<const Loss<Real>> loss, const Settings& optimizer, int threads)
      : state_(state),
        interaction_(interaction),
        optimizer_(optimizer),
        penalties_(optimizer),
        threads_(threads),
        row_pass_(interaction, std::move(loss), state.width) {}

  void penalise(const Real* l2_linear, const Real* l2_factors) noexcept override {
    penalties_.of_features(l2_linear, l2_factors);
  }

  void begin_segment(const Plan<Real>& plan, const Real* targets, std::span<const Index> order,
                     Index t, double learning_rate) override {
    segment_ = Segment<Real>(plan, targets, order);
    row_pass_.reserve(plan.largest_batch());
    optimizer_.begin_segment(t, segment_.steps(), learning_rate);
    if constexpr (Optimizer::catches_up) {
      with_pieces<Real>(state_.width, [this]<class Pieces>(Pieces) { catch_up<Pieces>(); });
    }
  }

  double run(Index begin, Index end, double loss) override {
    std::visit(
        [&]<class Values>(const CsrView<Values>& X) {
          with_pieces<Real>(state_.width, [&]<class Pieces>(Pieces) {
            with_team(team_for_steps(begin, end), [&](Team& team) {
              for (Index step = begin; step < end && std::isfinite(loss); ++step) {
                loss += make_step<Pieces, Values>(team, X, step);
              }
            });
          });
        },
        segment_.matrix());
    return loss;
  }

 private:
  static constexpr Index feature_block = 64;
  static constexpr Index ahead = 16;       // features to prefetch ahead
  static constexpr Index terms_ahead = 4;  // and the terms of their rows

  using One = Lanes<Real, 1>;

  int team_for_steps(Index begin, Index end) const noexcept {
    Index longest = 0, work = 0;
    for (Index step = begin; step < end; ++step) {
      const auto& batch = segment_.batch(step);
      const auto rows = static_cast<Index>(segment_.rows(step).size());
      longest = std::max({longest, rows / row_pass_.block, batch.size() / feature_block});
      work += batch.starts.back() * (state_.width + 1);
      if constexpr (Interaction::has_weights) work += rows * interaction_.weights() * state_.width;
    }
    return team_size(threads_, longest, work);
  }

  /// Returns the sum of weight * loss over the step's rows, before the step.
  template <class Pieces, class Values>
  double make_step(Team& team, const CsrView<Values>& X, Index step) {
    optimizer_.begin_step(step, static_cast<Index>(segment_.rows(step).size()));
    const auto sums = row_pass_.template run<Pieces>(team, X, state_, segment_, step);
    optimizer_.apply(state_.bias_block, 1, One(static_cast<Real>(sums.slope)),
                     optimizer_.missed(0));

    const auto& batch = segment_.batch(step);
    gatherer_.template begin<Pieces, Values>(team, batch, row_pass_.terms(), state_.width,
                                             [this](Index i) { return row_pass_.place(i); });
    team.for_blocks(batch.size(), feature_block, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        if (j + ahead < batch.size()) {
          state_.prefetch_update(batch.features[j + ahead]);
          interaction_.prefetch(batch.features[j + ahead]);
          penalties_.prefetch(batch.features[j + ahead]);
        }
        if constexpr (Interaction::scales_late) prefetch_terms<Values>(batch, j + terms_ahead);
        update_feature<Pieces, Values>(batch, j, step);
      }
    });
    if constexpr (Interaction::has_weights) update_weights(step);
    return sums.loss;
  }

  /// A row's terms for a feature are on cache lines that no feature before has touched.
  template <class Values>
  void prefetch_terms(const Batch<Real>& batch, Index j) const noexcept {
    if (j >= batch.size()) return;
    gatherer_.template prefetch<Values>(j, row_pass_.place(batch.features[j]), state_.width);
  }

  void update_weights(Index step) noexcept {
    const auto rows = static_cast<Index>(segment_.rows(step).size());
    interaction_.update(optimizer_, [&](Index n) { return row_pass_.weight_gradient(n, rows); });
  }

  template <class Pieces, class Values>
  void update_feature(const Batch<Real>& batch, Index j, Index step) noexcept {
    const Index i = batch.features[j];
    const Real l2_factors = penalties_.factors(i);
    const double share = penalties_.any()
                             ? share_of(batch.template occurrences<Values>(j), row_pass_.shares(),
                                        segment_.weights(step) != nullptr)
                             : 0;
    const auto missed = optimizer_.missed(Optimizer::catches_up ? segment_.gap(step, j) : 0);

    const auto sums = gatherer_.template scalars<Values>(j);
    Real* w = state_.linear_block(i);
    optimizer_.apply(w, 1, One(static_cast<Real>(sums.linear + penalties_.linear(i) * share * *w)),
                     missed);
    const Index place = row_pass_.place(i);
    [[maybe_unused]] Real norm = 0;
    Pieces::visit(state_.width, [&]<class L>(Index f) {
      Eigen::Map<L> v(state_.factors(i) + f);
      const L xT = gatherer_.template factors<Values, L>(j, place, f);
      // The gradient of the penalty is a multiple of v_i, and so is what `own` subtracts.
      const auto self = multiple(interaction_.template own<L>(i, f), sums.self, l2_factors * share);
      optimizer_.apply(v.data(), state_.width, L(xT - self * v), missed);
      if constexpr (Interaction::uses_norms) norm += v.square().sum();
    });
    if constexpr (Interaction::uses_norms) state_.squared_norm(i) = norm;
  }

  /// own * sum - penalty, for all factors of a feature or for those of an L.
  template <class Own>
  static auto multiple(const Own& own, double sum, double penalty) noexcept {
    if constexpr (std::is_arithmetic_v<Own>) {
      return static_cast<Real>(own * sum - penalty);
    } else {
      return Own(own * static_cast<Real>(sum) - static_cast<Real>(penalty));
    }
  }

  /// Makes the missed steps of each feature up to the first step that touches it.
  template <class Pieces>
  void catch_up() {
    const auto first = segment_.link(state_.features);
    const int team =
        team_size(threads_, state_.features / feature_block, state_.features * state_.width);
    with_team(team, [&](Team& members) {
      members.for_blocks(state_.features, feature_block, [&](Index, Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
          if (first[i] == 0) continue;
          const auto missed = optimizer_.missed(first[i]);
          optimizer_.template skip<One>(state_.linear_block(i), 1, missed);
          Pieces::visit(state_.width, [&]<class L>(Index f) {
            optimizer_.template skip<L>(state_.factors(i) + f, state_.width, missed);
          });
          if constexpr (Interaction::uses_norms) {
            state_.squared_norm(i) = squared_norm<Pieces>(state_.factors(i), state_.width);
          }
        }
      });
    });
  }

  StateView<Real> state_;
  [[no_unique_address]] Interaction interaction_;
  Optimizer optimizer_;
  Penalties<Real> penalties_;
  int threads_;
  RowPass<Real, Interaction> row_pass_;
  Gatherer<Real, Interaction::scales_late> gatherer_;
  Segment<Real> segment_;
};

}  // namespace sparsefm
