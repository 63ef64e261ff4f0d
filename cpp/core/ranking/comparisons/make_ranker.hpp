// From the name of an optimizer to the training that is compiled for it.
#pragma once

#include "../../optimizers/adagrad.hpp"
#include "../../optimizers/adam.hpp"
#include "minibatch.hpp"

namespace sparsefm::comparisons {

template <class Real>
std::unique_ptr<Ranker<Real>> make_ranker(const StateView<Real>& state,
                                          const RankingTask<Real>& task, const std::string& loss,
                                          const Settings& optimizer, int threads) {
  std::unique_ptr<Ranker<Real>> ranker;
  Family<AdaGrad<Real>, LazyAdam<Real>>::visit(optimizer.name, [&]<class Optimizer> {
    ranker = std::make_unique<RankingMinibatch<Real, Optimizer>>(state, task, ranking_loss(loss),
                                                                 optimizer, threads);
  });
  return ranker;
}

}  // namespace sparsefm::comparisons
