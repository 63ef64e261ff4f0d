#include "class_minibatch.hpp"

namespace sparsefm {

template std::unique_ptr<Trainer<float>> make_class_trainer(const ClassStateView<float>&,
                                                            const Settings&, int);
template void class_scores(float*, const MatrixView<float>&, Index, Index,
                           const ClassStateView<float>&, int);

}  // namespace sparsefm
