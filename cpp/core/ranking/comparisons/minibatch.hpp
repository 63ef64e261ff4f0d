// Training on comparisons with mini-batches. A step has these loops:
//
//   positives r      P_r, their negatives, the slopes g_rj of all items j compared,
//                    D_r = omega_r sum_j g_rj q_j                       (`comparer.hpp`)
//   items j          e_j = sum_r omega_r g_rj,   T_j = sum_r omega_r g_rj P_r + e_j q_j
//   features         of items, from e_j and T_j; of contexts, from D_r  (`side.hpp`)
//
// omega_r is the positive's share of the batch, its weight / the sum of weights. What contexts add
// by themselves has no slope. Every parameter has one writer and every sum a fixed order, so the
// result is the same bits on any number of threads.
#pragma once

#include <cmath>
#include <mutex>
#include <numeric>

#include "comparer.hpp"

namespace sparsefm::comparisons {

template <class Real, OptimizerOf<Real> Optimizer>
class RankingMinibatch final : public Ranker<Real> {
 public:
  RankingMinibatch(const StateView<Real>& state, const RankingTask<Real>& task, RankingLoss loss,
                   const Settings& optimizer, int threads)
      : state_(state),
        task_(task),
        loss_(loss),
        optimizer_(optimizer),
        penalties_(optimizer),
        threads_(threads),
        contexts_(task.contexts),
        items_(task.items),
        item_slots_(task.items.rows) {
    const Index rows = std::min(task.batch_size, task.positives.size());
    blocks_.resize((rows + block - 1) / block);
    P_.resize(rows * state.width);
    D_.resize(rows * state.width);
    shares_.resize(rows);
    zeros_.resize(rows);
    counts_.resize(rows);
    identity_.resize(rows);
    std::iota(identity_.begin(), identity_.end(), Index{0});
  }

  double run(std::span<const Index> order, Index epoch, Index begin, Index end, Index t,
             double learning_rate, double loss) override {
    const std::scoped_lock lock(mutex_);
    optimizer_.begin_segment(t, end, learning_rate);
    const Draws<Real> draws(task_.positives, items_.rows(), task_.known, task_.table, task_.seed,
                            epoch);
    const Index rows = std::min(task_.batch_size, static_cast<Index>(order.size()));
    const Index compared = std::max(task_.negatives, Index{1}) + 1;
    const int size = team_size(threads_, rows / block, rows * compared * (state_.width + 8));
    with_pieces<Real>(state_.width, [&]<class Pieces>(Pieces) {
      with_team(size, [&](Team& team) {
        comparers_.clear();
        for (int member = 0; member < team.size(); ++member) {
          comparers_.emplace_back(task_, loss_, state_.width);
        }
        for (Index step = begin; step < end && std::isfinite(loss); ++step) {
          const auto first = static_cast<std::size_t>(step * task_.batch_size);
          const auto batch =
              order.subspan(first, std::min<std::size_t>(task_.batch_size, order.size() - first));
          optimizer_.begin_step(step, static_cast<Index>(batch.size()));
          loss += make_step<Pieces>(team, batch, draws);
        }
      });
    });
    return loss;
  }

 private:
  static constexpr Index block = 32;  // positives; it determines the order of addition
  static constexpr Index items_at_once = 64;

  template <class Pieces>
  double make_step(Team& team, std::span<const Index> batch, const Draws<Real>& draws) {
    const auto size = static_cast<Index>(batch.size());
    double total = 0;
    for (const Index p : batch) total += task_.positives.weight(p);
    for (Index r = 0; r < size; ++r) {
      shares_[r] = static_cast<Real>(task_.positives.weight(batch[r]) / total);
    }
    team.for_each((size + block - 1) / block, [&](Index number, int member) {
      compare<Pieces>(batch, number, draws, comparers_[member]);
    });
    double loss = 0;
    for (Index number = 0; number * block < size; ++number) loss += blocks_[number].loss;

    collect_pairs(size);
    team.for_each(2, [&](Index task, int) { take_sides(batch, task); });
    give_items<Pieces>(team, batch);
    items_.template update<Pieces>(team, state_, optimizer_, penalties_,
                                   {slopes_.data(), T_.data(), state_.width}, item_shares_);
    contexts_.template update<Pieces>(team, state_, optimizer_, penalties_,
                                      {zeros_.data(), D_.data(), state_.width}, shares_);
    return loss * total;
  }

  /// The first loop, over the positives of a block.
  template <class Pieces>
  void compare(std::span<const Index> batch, Index number, const Draws<Real>& draws,
               Comparer<Real>& comparer) {
    const auto size = static_cast<Index>(batch.size());
    auto& out = blocks_[number];
    out.clear();
    const Index last = std::min((number + 1) * block, size);
    for (Index r = number * block; r < last; ++r) {
      if (r + 2 < size) {
        contexts_.prefetch(state_, task_.positives.contexts[batch[r + 2]]);
        items_.prefetch(state_, task_.positives.items[batch[r + 2]]);
      }
      Real* const P = P_.data() + r * state_.width;
      contexts_.template score<Pieces>(state_, task_.positives.contexts[batch[r]], P);
      counts_[r] = comparer.template compare<Pieces>(batch[r], draws, items_, state_, P,
                                                     D_.data() + r * state_.width, shares_[r], out);
    }
  }

  /// Joins the pairs of all blocks, and transposes them to item -> positives.
  void collect_pairs(Index size) {
    offsets_.assign(1, 0);
    pair_items_.clear();
    pair_slopes_.clear();
    for (Index r = 0; r < size; ++r) offsets_.push_back(offsets_.back() + counts_[r]);
    for (Index number = 0; number * block < size; ++number) {
      const auto& part = blocks_[number];
      pair_items_.insert(pair_items_.end(), part.items.begin(), part.items.end());
      pair_slopes_.insert(pair_slopes_.end(), part.slopes.begin(), part.slopes.end());
    }
    const CsrView<const Real*> pairs{size, items_.rows(), Offsets(offsets_.data()),
                                     pair_items_.data(), pair_slopes_.data()};
    pairs_ = transpose<Real>(pairs, identity_.data(), size, item_slots_);
  }

  void take_sides(std::span<const Index> batch, Index task) {
    rows_[task].clear();
    if (task == 0) {
      for (const Index p : batch) rows_[task].push_back(task_.positives.contexts[p]);
    } else {
      rows_[task].assign(pairs_.features.begin(), pairs_.features.end());
    }
    (task == 0 ? contexts_ : items_)
        .take(rows_[task].data(), static_cast<Index>(rows_[task].size()));
  }

  /// The second loop, over items: their slopes, terms and shares.
  template <class Pieces>
  void give_items(Team& team, std::span<const Index> batch) {
    const Index width = state_.width;
    if (T_.size() < pairs_.size() * width) T_.resize(pairs_.size() * width);
    slopes_.resize(pairs_.size());
    item_shares_.resize(pairs_.size());
    gatherer_.template begin<Pieces, const Real*>(team, pairs_, {shares_.data(), P_.data(), width},
                                                  width, [](Index) { return Index{0}; });
    team.for_blocks(pairs_.size(), items_at_once, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        Real* const T = T_.data() + j * width;
        slopes_[j] = static_cast<Real>(gatherer_.template scalars<const Real*>(j).linear);
        items_.template score<Pieces>(state_, pairs_.features[j], T);
        Pieces::visit(width, [&]<class L>(Index f) {
          Eigen::Map<L> terms(T + f);
          terms = gatherer_.template factors<const Real*, L>(j, 0, f) + slopes_[j] * terms;
        });
        item_shares_[j] = share_of_item(batch, j);
      }
    });
  }

  /// By how much the penalties of an item count: each positive has one share for its own item, and
  /// one for its negatives together.
  Real share_of_item(std::span<const Index> batch, Index j) const noexcept {
    if (!penalties_.any()) return 0;
    const auto pairs = pairs_.template occurrences<const Real*>(j);
    double share = 0;
    for (Index q = 0; q < pairs.size; ++q) {
      const auto r = pairs.rows[q];
      const bool own = task_.positives.items[batch[r]] == pairs_.features[j];
      share += shares_[r] / static_cast<double>(own ? 1 : counts_[r] - 1);
    }
    return static_cast<Real>(share);
  }

  StateView<Real> state_;
  RankingTask<Real> task_;
  RankingLoss loss_;
  Optimizer optimizer_;
  Penalties<Real> penalties_;
  int threads_;
  std::mutex mutex_;  // one run at a time
  Side<Real> contexts_, items_;
  Slots item_slots_;
  std::vector<Comparer<Real>> comparers_;  // by member of the team

  // By positive of the batch.
  std::vector<Comparisons<Real>> blocks_;
  std::vector<Real> shares_, zeros_;
  std::vector<Index> counts_;  // of items compared
  std::vector<Index> identity_;
  Eigen::ArrayX<Real> P_, D_;  // (rows, width)

  // The pairs of positives and items, and those of items and positives.
  std::vector<Index> offsets_;
  std::vector<Feature> pair_items_;
  std::vector<Real> pair_slopes_;
  Batch<Real> pairs_;
  Gatherer<Real, /*late=*/true> gatherer_;

  // By item of the batch.
  std::vector<Real> slopes_, item_shares_;
  Eigen::ArrayX<Real> T_;  // (items, width)
  std::vector<Index> rows_[2];
};

}  // namespace sparsefm::comparisons
