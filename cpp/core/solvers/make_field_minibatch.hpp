// Trainers and scores of models with fields (`field_trainer.hpp`).
#pragma once

#include "../interactions/field_aware.hpp"
#include "../interactions/field_weighted.hpp"
#include "field_trainer.hpp"
#include "make_minibatch.hpp"

namespace sparsefm {

template <class Real>
FieldWeighted<Real> interaction_of(const FieldPairs<Real>& pairs) noexcept {
  return FieldWeighted<Real>(pairs);
}

template <class Real>
FieldAware<Real> interaction_of(const FieldBlocks& blocks) noexcept {
  return FieldAware<Real>(blocks);
}

template <class Real, class Fields>
std::unique_ptr<Trainer<Real>> make_field_trainer(const StateView<Real>& state,
                                                  const Fields& fields, const Settings& loss,
                                                  const Settings& optimizer, int threads) {
  return make_minibatch(state, interaction_of<Real>(fields), loss, optimizer, threads);
}

template <class Real, class Fields>
void field_scores(Real* scores, const MatrixView<Real>& X, Index first, Index rows,
                  const ModelView<Real>& model, const Fields& fields, int threads) {
  constexpr Index row_block = 64;
  const auto interaction = interaction_of<Real>(fields);
  const Index sums_size = interaction.sums_size(model.width);
  // What keeps its sums in the terms needs them for the score, too.
  const Index terms_size = sums_size == 0 ? interaction.vectors() * model.width : 0;
  std::visit(
      [&](const auto& x) {
        const Index entries = x.offsets[first + rows] - x.offsets[first];
        const Index work = (entries + rows * fields.fields * fields.fields) * model.width;
        with_team(team_size(threads, rows / row_block, work), [&](Team& team) {
          team.for_blocks(rows, row_block, [&](Index, Index begin, Index end) {
            Eigen::ArrayX<Real> sums(sums_size), terms(terms_size);
            const RowSums<Real> out{sums.data(), terms_size == 0 ? nullptr : terms.data()};
            for (Index r = begin; r < end; ++r) {
              if (r + 1 < rows) model.prefetch(x.row(first + r + 1));
              scores[r] =
                  interaction.template score<MixedPieces<Real>>(x.row(first + r), model, out);
            }
          });
        });
      },
      X);
}

}  // namespace sparsefm
