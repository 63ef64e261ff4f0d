// Training and scores of models whose features have fields: `Fields` are `FieldPairs`, the weights
// of pairs of fields (`interactions/field_weighted.hpp`), or `FieldBlocks`, the factors for each
// field (`interactions/field_aware.hpp`).
#pragma once

#include "../model/field_blocks.hpp"
#include "../model/field_pairs.hpp"
#include "../model/model_view.hpp"
#include "trainer.hpp"

namespace sparsefm {

/// As `make_trainer`; the weights of pairs have no penalty.
template <class Real, class Fields>
std::unique_ptr<Trainer<Real>> make_field_trainer(const StateView<Real>& state,
                                                  const Fields& fields, const Settings& loss,
                                                  const Settings& optimizer, int threads);

/// scores[r] = s(x_{first + r}) for 0 <= r < rows
template <class Real, class Fields>
void field_scores(Real* scores, const MatrixView<Real>& X, Index first, Index rows,
                  const ModelView<Real>& model, const Fields& fields, int threads);

extern template std::unique_ptr<Trainer<float>> make_field_trainer(const StateView<float>&,
                                                                   const FieldPairs<float>&,
                                                                   const Settings&, const Settings&,
                                                                   int);
extern template std::unique_ptr<Trainer<double>> make_field_trainer(const StateView<double>&,
                                                                    const FieldPairs<double>&,
                                                                    const Settings&,
                                                                    const Settings&, int);
extern template std::unique_ptr<Trainer<float>> make_field_trainer(const StateView<float>&,
                                                                   const FieldBlocks&,
                                                                   const Settings&, const Settings&,
                                                                   int);
extern template std::unique_ptr<Trainer<double>> make_field_trainer(const StateView<double>&,
                                                                    const FieldBlocks&,
                                                                    const Settings&,
                                                                    const Settings&, int);
extern template void field_scores(float*, const MatrixView<float>&, Index, Index,
                                  const ModelView<float>&, const FieldPairs<float>&, int);
extern template void field_scores(double*, const MatrixView<double>&, Index, Index,
                                  const ModelView<double>&, const FieldPairs<double>&, int);
extern template void field_scores(float*, const MatrixView<float>&, Index, Index,
                                  const ModelView<float>&, const FieldBlocks&, int);
extern template void field_scores(double*, const MatrixView<double>&, Index, Index,
                                  const ModelView<double>&, const FieldBlocks&, int);

}  // namespace sparsefm
