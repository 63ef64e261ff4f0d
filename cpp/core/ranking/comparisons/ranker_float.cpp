#include "make_ranker.hpp"

namespace sparsefm::comparisons {

template std::unique_ptr<Ranker<float>> make_ranker(const StateView<float>&,
                                                    const RankingTask<float>&, const std::string&,
                                                    const Settings&, int);

}  // namespace sparsefm::comparisons
