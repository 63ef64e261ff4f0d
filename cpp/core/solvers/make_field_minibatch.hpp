// From the names of loss and optimizer to the trainer with weights of pairs of fields.
#pragma once

#include "../interactions/field_weighted.hpp"
#include "../optimizers/family.hpp"
#include "field_trainer.hpp"
#include "minibatch.hpp"

namespace sparsefm {

template <class Real>
std::unique_ptr<Trainer<Real>> make_field_trainer(const StateView<Real>& state,
                                                  const FieldPairs<Real>& pairs,
                                                  const Settings& loss, const Settings& optimizer,
                                                  int threads) {
  using Interaction = FieldWeighted<Real>;
  auto losses = make_loss<Real>(loss);
  std::unique_ptr<Trainer<Real>> trainer;
  Optimizers<Real>::visit(optimizer.name, [&]<class Optimizer> {
    trainer = std::make_unique<Minibatch<Real, Optimizer, Interaction>>(
        state, Interaction(pairs), std::move(losses), optimizer, threads);
  });
  return trainer;
}

template <class Real>
void field_scores(Real* scores, const MatrixView<Real>& X, Index first, Index rows,
                  const ModelView<Real>& model, const FieldPairs<Real>& pairs, int threads) {
  constexpr Index row_block = 64;
  const FieldWeighted<Real> interaction(pairs);
  std::visit(
      [&](const auto& x) {
        const Index entries = x.offsets[first + rows] - x.offsets[first];
        const Index work = (entries + rows * pairs.size()) * model.width;
        with_team(team_size(threads, rows / row_block, work), [&](Team& team) {
          team.for_blocks(rows, row_block, [&](Index, Index begin, Index end) {
            Eigen::ArrayX<Real> sums(interaction.sums_size(model.width));
            for (Index r = begin; r < end; ++r) {
              if (r + 1 < rows) model.prefetch(x.row(first + r + 1));
              scores[r] = interaction.template score<MixedPieces<Real>>(
                  x.row(first + r), model, RowSums<Real>{sums.data(), nullptr});
            }
          });
        });
      },
      X);
}

}  // namespace sparsefm
