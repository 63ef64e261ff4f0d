#include "make_ranker.hpp"

namespace sparsefm::comparisons {

template std::unique_ptr<Ranker<double>> make_ranker(const StateView<double>&,
                                                     const RankingTask<double>&, const std::string&,
                                                     const Settings&, int);

}  // namespace sparsefm::comparisons
