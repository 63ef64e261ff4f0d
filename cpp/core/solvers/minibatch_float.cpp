#include "make_minibatch.hpp"

namespace sparsefm {

template std::unique_ptr<Trainer<float>> make_trainer(const StateView<float>&, const Settings&,
                                                      const Settings&, int);

}  // namespace sparsefm
