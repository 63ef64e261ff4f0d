#include "trainer.hpp"

#include "batch_trainer.hpp"
#include "optimizers/exact_adam.hpp"

namespace sparsefm {
namespace {

template <int lanes, class Real, class Optimizer>
std::unique_ptr<Trainer> for_values(const TrainingTask<Real>& task, const StateView<Real>& state,
                                    Optimizer optimizer) {
  if (std::holds_alternative<CsrView<Ones<Real>>>(task.X)) {
    return std::make_unique<BatchTrainer<Real, Ones<Real>, Optimizer, lanes>>(task, state,
                                                                              optimizer);
  }
  return std::make_unique<BatchTrainer<Real, const Real*, Optimizer, lanes>>(task, state,
                                                                             optimizer);
}

template <class Real, class Optimizer>
std::unique_ptr<Trainer> for_width(const TrainingTask<Real>& task, const StateView<Real>& state,
                                   Optimizer optimizer) {
  if (state.width % 16 == 0) return for_values<16>(task, state, optimizer);
  if (state.width % 8 == 0) return for_values<8>(task, state, optimizer);
  return for_values<4>(task, state, optimizer);
}

}  // namespace

template <class Real>
std::unique_ptr<Trainer> make_adam_trainer(const TrainingTask<Real>& task,
                                           const StateView<Real>& state,
                                           const AdamSettings& settings, Updates updates) {
  if (updates == Updates::exact) return for_width(task, state, ExactAdam<Real>(settings));
  return for_width(task, state, LazyAdam<Real>(settings));
}

template std::unique_ptr<Trainer> make_adam_trainer(const TrainingTask<float>&,
                                                    const StateView<float>&, const AdamSettings&,
                                                    Updates);
template std::unique_ptr<Trainer> make_adam_trainer(const TrainingTask<double>&,
                                                    const StateView<double>&, const AdamSettings&,
                                                    Updates);

}  // namespace sparsefm
