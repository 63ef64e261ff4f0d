#include "make_minibatch.hpp"

namespace sparsefm {

template std::unique_ptr<Trainer<double>> make_trainer(const StateView<double>&, const Settings&,
                                                       const Settings&, int);

}  // namespace sparsefm
