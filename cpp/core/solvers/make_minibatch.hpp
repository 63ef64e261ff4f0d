// From the names of loss and optimizer to the trainer that is compiled for them.
#pragma once

#include "../interactions/fm.hpp"
#include "../optimizers/family.hpp"
#include "minibatch.hpp"

namespace sparsefm {

template <class Real, InteractionOf<Real> Interaction>
std::unique_ptr<Trainer<Real>> make_minibatch(const StateView<Real>& state,
                                              const Interaction& interaction, const Settings& loss,
                                              const Settings& optimizer, int threads) {
  auto losses = make_loss<Real>(loss);
  std::unique_ptr<Trainer<Real>> trainer;
  Optimizers<Real>::visit(optimizer.name, [&]<class Optimizer> {
    trainer = std::make_unique<Minibatch<Real, Optimizer, Interaction>>(
        state, interaction, std::move(losses), optimizer, threads);
  });
  return trainer;
}

template <class Real>
std::unique_ptr<Trainer<Real>> make_trainer(const StateView<Real>& state, const Settings& loss,
                                            const Settings& optimizer, int threads) {
  return make_minibatch(state, Fm(), loss, optimizer, threads);
}

}  // namespace sparsefm
