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

template <class Real>
std::unique_ptr<Trainer> for_settings(const TrainingTask<Real>& task, const StateView<Real>& state,
                                      const AdamSettings& settings) {
  if (settings.exact) return for_width(task, state, ExactAdam<Real>(settings));
  return for_width(task, state, LazyAdam<Real>(settings));
}

template <class Real>
std::unique_ptr<Trainer> for_settings(const TrainingTask<Real>& task, const StateView<Real>& state,
                                      const AdaGradSettings& settings) {
  return for_width(task, state, AdaGrad<Real>(settings));
}

}  // namespace

template <class Real>
std::unique_ptr<Trainer> make_trainer(const TrainingTask<Real>& task, const StateView<Real>& state,
                                      const OptimizerSettings& settings) {
  return std::visit([&](const auto& found) { return for_settings(task, state, found); }, settings);
}

template std::unique_ptr<Trainer> make_trainer(const TrainingTask<float>&, const StateView<float>&,
                                               const OptimizerSettings&);
template std::unique_ptr<Trainer> make_trainer(const TrainingTask<double>&,
                                               const StateView<double>&, const OptimizerSettings&);

}  // namespace sparsefm
