#include "make_field_minibatch.hpp"

namespace sparsefm {

template std::unique_ptr<Trainer<double>> make_field_trainer(const StateView<double>&,
                                                             const FieldBlocks&, const Settings&,
                                                             const Settings&, int);
template void field_scores(double*, const MatrixView<double>&, Index, Index,
                           const ModelView<double>&, const FieldBlocks&, int);

}  // namespace sparsefm
