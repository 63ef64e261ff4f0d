// The layers of the specification, stateless: forward, backward, one dense Adam step.
#pragma once

#include <memory>
#include <numeric>

#include "gradient.hpp"
#include "optimizers/adam.hpp"
#include "parallel.hpp"
#include "score.hpp"

namespace sparsefm {

/// scores[r] = s(x_{first + r}) for 0 <= r < rows
template <class Real, class Values>
void forward(Real* scores, const CsrView<Values>& X, Index first, Index rows,
             const ModelView<Real>& model, int threads) {
  const Index work = (X.offsets[first + rows] - X.offsets[first]) * (model.rank + 1);
  with_team(team_size(threads, rows / 256, work), [&](Team& team) {
    team.for_blocks(rows, 256, [&](Index, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        if (r + 1 < rows) model.prefetch(X.row(first + r + 1));
        scores[r] = score(X.row(first + r), model, static_cast<Real*>(nullptr));
      }
    });
  });
}

/// linear (features,) = dL/dw, factors (features, rank) = dL/dV, both all zeros on entry, from
/// slopes (rows,) = dL/ds. Scratch: rows * rank, the transpose of X and its pieces.
template <class Real, class Values>
void backward(Real* linear, Real* factors, const CsrView<Values>& X, const Real* slopes,
              const ModelView<Real>& model, int threads) {
  const Index rank = model.rank;
  const std::unique_ptr<Real[]> T(new Real[X.rows * rank]);
  std::vector<Index> rows(X.rows);
  std::iota(rows.begin(), rows.end(), Index{0});
  Slots slots(X.features);
  const auto batch = transpose<Real>(X, rows.data(), X.rows, slots);

  with_team(team_size(threads, X.rows / 256, X.nonzeros() * (rank + 1)), [&](Team& team) {
    team.for_blocks(X.rows, 256, [&](Index, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        Real* sums = T.get() + r * rank;
        score(X.row(r), model, sums);
        for (Index f = 0; f < rank; ++f) sums[f] *= slopes[r];
      }
    });
    Gatherer<Real, Values> gatherer;
    gatherer.begin(team, batch, {slopes, T.get(), rank});
    team.for_blocks(batch.size(), 64, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        const Index i = batch.features[j];
        const auto sums = gatherer.scalars(j);
        linear[i] = static_cast<Real>(sums.linear);
        for_lanes<Real>(rank, [&]<class L>(Index f) {
          const Eigen::Map<const L> v(model.factors(i) + f);
          Eigen::Map<L>(factors + i * rank + f) =
              gatherer.template factors<L>(j, f) - v * static_cast<Real>(sums.self);
        });
      }
    });
  });
}

/// One Adam step, in place, on arrays of `size` parameters.
template <class Real>
void adam_update(Real* theta, const Real* gradient, Real* m, Real* v, Index size,
                 const AdamStep<Real>& step) {
  for_lanes<Real>(size, [&]<class L>(Index first) {
    const Eigen::Map<const L> g(gradient + first);
    Eigen::Map<L> theta_(theta + first), m_(m + first), v_(v + first);
    step.apply(theta_, m_, v_, g);
  });
}

}  // namespace sparsefm
