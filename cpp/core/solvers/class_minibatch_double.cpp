#include "class_minibatch.hpp"

namespace sparsefm {

template std::unique_ptr<Trainer<double>> make_class_trainer(const ClassStateView<double>&,
                                                             const Settings&, int);
template void class_scores(double*, const MatrixView<double>&, Index, Index,
                           const ClassStateView<double>&, int);

}  // namespace sparsefm
