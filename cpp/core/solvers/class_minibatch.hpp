// Training of several classes with mini-batches and softmax loss. A step uses its batch three
// times:
//
//   rows      r:  s_rc, S_r and P_r,  e_rc = omega_r dL/ds_c,  T_r and G_r
//   classes   c:  dw0_c = sum_r e_rc,  du_c = sum_r e_rc P_r,  their update
//   features  i:  dw_ic = sum_r x_ri e_rc,  dv_i from sum_r x_ri T_r and sum_r x_ri^2 G_r, their
//                 update
//
// omega_r is the row's share of the batch. Every parameter has one writer and every sum a fixed
// order, as in `minibatch.hpp`.
#pragma once

#include <cmath>
#include <numeric>

#include "../interactions/class_fm.hpp"
#include "../losses/softmax.hpp"
#include "../optimizers/family.hpp"
#include "../optimizers/penalties.hpp"
#include "../parallel.hpp"
#include "class_trainer.hpp"
#include "segment.hpp"
#include "shares.hpp"

namespace sparsefm {

/// The sum of term(p) for p in [0, size), in parts, so that no sum in float32 has very many terms.
template <class L, class Term>
L sum_of(Index size, const Term& term) noexcept {
  constexpr Index part = 256;
  const auto sum_between = [&](Index begin, Index end) {
    L sum = L::Zero();
    for (Index p = begin; p < end; ++p) sum += term(p);
    return sum;
  };
  if (size <= part) return sum_between(0, size);
  using Doubles = Eigen::Array<double, L::SizeAtCompileTime, 1>;
  Doubles total = Doubles::Zero();
  for (Index begin = 0; begin < size; begin += part) {
    total += sum_between(begin, std::min(begin + part, size)).template cast<double>();
  }
  return total.template cast<typename L::Scalar>();
}

template <class Real, OptimizerOf<Real> Optimizer>
class ClassMinibatch final : public Trainer<Real> {
 public:
  ClassMinibatch(const ClassStateView<Real>& state, const Settings& optimizer, int threads)
      : state_(state),
        optimizer_(optimizer),
        penalties_(optimizer),
        threads_(threads),
        row_size_(ClassFm::row_size(state)) {}

  void penalise(const Real* l2_linear, const Real* l2_factors) noexcept override {
    penalties_.of_features(l2_linear, l2_factors);
  }

  void begin_segment(const Plan<Real>& plan, const Real* targets, std::span<const Index> order,
                     Index t, double learning_rate) override {
    segment_ = Segment<Real>(plan, targets, order);
    const Index rows = plan.largest_batch();
    terms_.resize(row_size_ * rows);
    P_.resize(state_.width * rows);
    shares_.resize(rows);
    losses_.resize(rows);
    optimizer_.begin_segment(t, segment_.steps(), learning_rate);
    if constexpr (Optimizer::catches_up) catch_up();
  }

  double run(Index begin, Index end, double loss) override {
    std::visit(
        [&]<class Values>(const CsrView<Values>& X) {
          with_team(team_for_steps(begin, end), [&](Team& team) {
            for (Index step = begin; step < end && std::isfinite(loss); ++step) {
              loss += make_step<Values>(team, X, step);
            }
          });
        },
        segment_.matrix());
    return loss;
  }

 private:
  static constexpr Index row_block = 16;
  static constexpr Index class_block = 4;
  static constexpr Index feature_block = 8;
  static constexpr Index ahead = 4;  // features to prefetch ahead

  using L = Lanes<Real, 8>;
  using Parts = Pieces<L>;

  int team_for_steps(Index begin, Index end) const noexcept {
    Index longest = 0, work = 0;
    for (Index step = begin; step < end; ++step) {
      const auto& batch = segment_.batch(step);
      const auto rows = static_cast<Index>(segment_.rows(step).size());
      longest = std::max({longest, rows / row_block, batch.size() / feature_block});
      work += batch.starts.back() * row_size_ + rows * state_.classes * state_.width;
    }
    return team_size(threads_, longest, work);
  }

  /// Returns the sum of weight * loss over the step's rows, before the step.
  template <class Values>
  double make_step(Team& team, const CsrView<Values>& X, Index step) {
    const auto rows = segment_.rows(step);
    const auto size = static_cast<Index>(rows.size());
    const Real* weights = segment_.weights(step);
    const double total =
        weights ? std::accumulate(weights, weights + size, 0.0) : static_cast<double>(size);
    optimizer_.begin_step(step, size);
    team.for_blocks(size, row_block, [&](Index, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        if (r + 2 < size) state_.prefetch(X.row(rows[r + 2]));
        shares_[r] = static_cast<Real>((weights ? weights[r] : Real{1}) / total);
        losses_[r] = pass_row(X.row(rows[r]), segment_.targets(step)[r], r);
      }
    });
    double loss = 0;
    for (Index r = 0; r < size; ++r) loss += static_cast<double>(shares_[r]) * losses_[r];

    update_biases(size);
    team.for_blocks(state_.classes, class_block, [&](Index, Index begin, Index end) {
      for (Index c = begin; c < end; ++c) update_vector(c, size);
    });
    const auto& batch = segment_.batch(step);
    team.for_blocks(batch.size(), feature_block, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        if (j + ahead < batch.size()) {
          state_.prefetch_update(batch.features[j + ahead]);
          penalties_.prefetch(batch.features[j + ahead]);
        }
        update_feature<Values>(batch, j, step);
      }
    });
    return loss * total;
  }

  /// e, T and G of row r of the batch; returns its loss.
  template <class Values>
  Real pass_row(const CsrRow<Values>& row, Real target, Index r) noexcept {
    Real *const e = slopes(r), *const S = e + state_.class_width, *const G = S + state_.width;
    ClassFm::score<Parts>(row, state_, e, S, P_.data() + r * state_.width);
    const Real loss = softmax(e, state_.class_width, static_cast<Index>(target));
    Parts::visit(state_.class_width, [&]<class>(Index c) { Eigen::Map<L>(e + c) *= shares_[r]; });
    ClassFm::terms<Parts>(state_, e, S, G);
    return loss;
  }

  void update_biases(Index rows) noexcept {
    Parts::visit(state_.class_width, [&]<class>(Index c) {
      const L gradient =
          sum_of<L>(rows, [&](Index r) { return Eigen::Map<const L>(slopes(r) + c); });
      optimizer_.apply(state_.bias_block + c, state_.class_width, gradient, optimizer_.missed(0));
    });
  }

  void update_vector(Index c, Index rows) noexcept {
    Parts::visit(state_.width, [&]<class>(Index f) {
      const L gradient = sum_of<L>(rows, [&](Index r) -> L {
        return slopes(r)[c] * Eigen::Map<const L>(P_.data() + r * state_.width + f);
      });
      optimizer_.apply(state_.vector(c) + f, state_.width, gradient, optimizer_.missed(0));
    });
  }

  template <class Values>
  void update_feature(const Batch<Real>& batch, Index j, Index step) noexcept {
    const auto in = batch.template occurrences<Values>(j);
    const Index i = batch.features[j];
    const Real l2_factors = penalties_.factors(i);
    const auto share = static_cast<Real>(
        penalties_.any() ? share_of(in, shares_, segment_.weights(step) != nullptr) : 0);
    const auto missed = optimizer_.missed(Optimizer::catches_up ? segment_.gap(step, j) : 0);
    const Index stride = state_.stride();
    Real* const block = state_.of_feature(i);

    Parts::visit(state_.class_width, [&]<class>(Index c) {
      const Eigen::Map<const L> w(block + c);
      const L slope = sum_of<L>(in.size, [&](Index p) -> L {
        return in.values[p] * Eigen::Map<const L>(slopes(in.rows[p]) + c);
      });
      optimizer_.apply(block + c, stride, L(slope + penalties_.linear(i) * share * w), missed);
    });
    Parts::visit(state_.width, [&]<class>(Index f) {
      const Index at = state_.class_width + f;
      const Eigen::Map<const L> v(block + at);
      const L xT = sum_of<L>(in.size, [&](Index p) -> L {
        return in.values[p] * Eigen::Map<const L>(slopes(in.rows[p]) + at);
      });
      const L self = sum_of<L>(in.size, [&](Index p) -> L {
        const Real x = in.values[p];
        return x * x * Eigen::Map<const L>(slopes(in.rows[p]) + at + state_.width);
      });
      optimizer_.apply(block + at, stride, L(xT - (self - l2_factors * share) * v), missed);
    });
  }

  /// Makes the missed steps of each feature up to the first step that touches it.
  void catch_up() {
    const auto first = segment_.link(state_.features);
    const Index stride = state_.stride();
    const int team = team_size(threads_, state_.features / feature_block, state_.features * stride);
    with_team(team, [&](Team& members) {
      members.for_blocks(state_.features, feature_block, [&](Index, Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
          if (first[i] == 0) continue;
          const auto missed = optimizer_.missed(first[i]);
          Parts::visit(stride, [&]<class>(Index f) {
            optimizer_.template skip<L>(state_.of_feature(i) + f, stride, missed);
          });
        }
      });
    });
  }

  /// The numbers of a row of the batch: e, T and G.
  Real* slopes(Index r) noexcept { return terms_.data() + r * row_size_; }

  ClassStateView<Real> state_;
  Optimizer optimizer_;
  Penalties<Real> penalties_;
  int threads_;
  Index row_size_;
  Segment<Real> segment_;

  // By row of the batch.
  Eigen::ArrayX<Real> terms_;  // (rows, row_size)
  Eigen::ArrayX<Real> P_;      // (rows, width)
  std::vector<Real> shares_, losses_;
};

template <class Real>
std::unique_ptr<Trainer<Real>> make_class_trainer(const ClassStateView<Real>& state,
                                                  const Settings& optimizer, int threads) {
  std::unique_ptr<Trainer<Real>> trainer;
  Optimizers<Real>::visit(optimizer.name, [&]<class Optimizer> {
    trainer = std::make_unique<ClassMinibatch<Real, Optimizer>>(state, optimizer, threads);
  });
  return trainer;
}

template <class Real>
void class_scores(Real* scores, const MatrixView<Real>& X, Index first, Index rows,
                  const ClassStateView<Real>& state, int threads) {
  constexpr Index row_block = 64;
  std::visit(
      [&](const auto& x) {
        const Index entries = x.offsets[first + rows] - x.offsets[first];
        const Index work = entries * state.stride() + rows * state.classes * state.width;
        with_team(team_size(threads, rows / row_block, work), [&](Team& team) {
          team.for_blocks(rows, row_block, [&](Index, Index begin, Index end) {
            Eigen::ArrayX<Real> s(state.class_width), S(2 * state.width);
            for (Index r = begin; r < end; ++r) {
              if (r + 1 < end) state.prefetch(x.row(first + r + 1));
              ClassFm::score<Pieces<Lanes<Real, 8>>>(x.row(first + r), state, s.data(), S.data(),
                                                     S.data() + state.width);
              std::copy_n(s.data(), state.classes, scores + r * state.classes);
            }
          });
        });
      },
      X);
}

}  // namespace sparsefm
