#include "sampler.hpp"

namespace sparsefm::gibbs {

template std::unique_ptr<Gibbs<double>> make_gibbs(const MatrixView<double>&, Relations<double>,
                                                   const double*, const double*,
                                                   std::span<const std::int32_t>, const Settings&,
                                                   const ChainView<double>&);

}  // namespace sparsefm::gibbs
