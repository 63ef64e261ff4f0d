#include "make_field_minibatch.hpp"

namespace sparsefm {

template std::unique_ptr<Trainer<float>> make_field_trainer(const StateView<float>&,
                                                            const FieldBlocks&, const Settings&,
                                                            const Settings&, int);
template void field_scores(float*, const MatrixView<float>&, Index, Index, const ModelView<float>&,
                           const FieldBlocks&, int);

}  // namespace sparsefm
