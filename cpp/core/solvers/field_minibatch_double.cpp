#include "make_field_minibatch.hpp"

namespace sparsefm {

template std::unique_ptr<Trainer<double>> make_field_trainer(const StateView<double>&,
                                                             const FieldPairs<double>&,
                                                             const Settings&, const Settings&, int);
template void field_scores(double*, const MatrixView<double>&, Index, Index,
                           const ModelView<double>&, const FieldPairs<double>&, int);

}  // namespace sparsefm
