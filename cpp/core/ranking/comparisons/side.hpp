// One side of the rows of a batch: their contexts, or their items. Each has features of its own.
#pragma once

#include <vector>

#include "../../interactions/fm.hpp"
#include "../../optimizers/optimizer.hpp"
#include "../../optimizers/penalties.hpp"
#include "../../solvers/gatherer.hpp"
#include "../../solvers/shares.hpp"

namespace sparsefm::comparisons {

template <class Real>
class Side {
 public:
  explicit Side(const CsrView<const Real*>& X) : X_(X), slots_(X.features) {}

  Index rows() const noexcept { return X_.rows; }

  /// The sum of the factors of a row goes to S (width,). Returns what its features add to a score.
  template <class Pieces>
  Real score(const StateView<Real>& state, Index row, Real* S) const noexcept {
    return Fm::score<Pieces>(X_.row(row), state, RowSums<Real>{nullptr, S}) - state.bias();
  }

  void prefetch(const StateView<Real>& state, Index row) const noexcept {
    state.prefetch(X_.row(row));
  }

  /// Takes the rows of a batch.
  void take(const Index* rows, Index size) { batch_ = transpose<Real>(X_, rows, size, slots_); }

  Index features() const noexcept { return batch_.size(); }
  Index nonzeros() const noexcept { return batch_.starts.back(); }

  /// Makes a step of all features of the rows. `terms` are the slopes e_r of the rows and their
  /// T_r; the derivatives are, as in `interactions/fm.hpp`, sum_r e_r x_r of w and sum_r x_r T_r -
  /// (sum_r e_r x_r^2) v of v. `shares` are those of the rows, by which penalties count.
  template <class Pieces, class Optimizer>
  void update(Team& team, const StateView<Real>& state, const Optimizer& optimizer,
              const Penalties<Real>& penalties, const RowTerms<Real>& terms,
              const std::vector<Real>& shares) {
    gatherer_.template begin<Pieces, const Real*>(team, batch_, terms, state.width,
                                                  [](Index) { return Index{0}; });
    team.for_blocks(batch_.size(), block, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        if (j + ahead < batch_.size()) state.prefetch_update(batch_.features[j + ahead]);
        step<Pieces>(j, state, optimizer, penalties, shares);
      }
    });
  }

 private:
  static constexpr Index block = 64;
  static constexpr Index ahead = 16;  // features to prefetch ahead

  template <class Pieces, class Optimizer>
  void step(Index j, const StateView<Real>& state, const Optimizer& optimizer,
            const Penalties<Real>& penalties, const std::vector<Real>& shares) noexcept {
    const Index i = batch_.features[j];
    const double share = penalties.any() ? share_of(batch_.template occurrences<const Real*>(j),
                                                    shares, /*weighted=*/true)
                                         : 0;
    const auto sums = gatherer_.template scalars<const Real*>(j);
    Real* const w = state.linear_block(i);
    const auto missed = optimizer.missed(0);
    optimizer.apply(
        w, 1, Lanes<Real, 1>(static_cast<Real>(sums.linear + penalties.linear(i) * share * *w)),
        missed);
    const auto own = static_cast<Real>(sums.self - penalties.factors(i) * share);
    Real norm = 0;
    Pieces::visit(state.width, [&]<class L>(Index f) {
      Eigen::Map<L> v(state.factors(i) + f);
      const L xT = gatherer_.template factors<const Real*, L>(j, 0, f);
      optimizer.apply(v.data(), state.width, L(xT - own * v), missed);
      norm += v.square().sum();
    });
    state.squared_norm(i) = norm;
  }

  CsrView<const Real*> X_;
  Slots slots_;
  Batch<Real> batch_;
  Gatherer<Real> gatherer_;
};

}  // namespace sparsefm::comparisons
