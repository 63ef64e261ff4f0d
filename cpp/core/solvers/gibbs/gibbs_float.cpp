#include "sampler.hpp"

namespace sparsefm::gibbs {

template std::unique_ptr<Gibbs<float>> make_gibbs(const MatrixView<float>&, Relations<float>,
                                                  const float*, const float*,
                                                  std::span<const std::int32_t>, const Settings&,
                                                  const ChainView<float>&);

}  // namespace sparsefm::gibbs
