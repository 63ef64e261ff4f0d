// Training and scores of a model of several classes (`interactions/class_fm.hpp`).
#pragma once

#include "../model/class_state_view.hpp"
#include "trainer.hpp"

namespace sparsefm {

/// Trains with softmax loss; targets are the numbers of classes. The biases and the class vectors
/// have no penalty; the others as for `make_trainer`.
template <class Real>
std::unique_ptr<Trainer<Real>> make_class_trainer(const ClassStateView<Real>& state,
                                                  const Settings& optimizer, int threads);

/// scores (rows, classes) of the rows of X from `first` on
template <class Real>
void class_scores(Real* scores, const MatrixView<Real>& X, Index first, Index rows,
                  const ClassStateView<Real>& state, int threads);

extern template std::unique_ptr<Trainer<float>> make_class_trainer(const ClassStateView<float>&,
                                                                   const Settings&, int);
extern template std::unique_ptr<Trainer<double>> make_class_trainer(const ClassStateView<double>&,
                                                                    const Settings&, int);
extern template void class_scores(float*, const MatrixView<float>&, Index, Index,
                                  const ClassStateView<float>&, int);
extern template void class_scores(double*, const MatrixView<double>&, Index, Index,
                                  const ClassStateView<double>&, int);

}  // namespace sparsefm
