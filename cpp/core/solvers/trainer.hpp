// The interface of a training: borrowed parameters, a loss and an optimizer, trained on plans.
#pragma once

#include <memory>
#include <span>

#include "../data/plan.hpp"
#include "../losses/loss.hpp"
#include "../model/state_view.hpp"

namespace sparsefm {

template <class Real>
class Trainer {
 public:
  virtual ~Trainer() = default;

  /// Gives each feature penalties of its own: two arrays (features,), which must stay. Null: all
  /// features have the optimizer's.
  virtual void penalise(const Real* l2_linear, const Real* l2_factors) noexcept = 0;

  /// Starts a segment: an epoch, or the part of an epoch whose batches are transposed. It has
  /// order.size() steps, after t earlier steps. Step s takes batch order[s] of the plan. `targets`
  /// are those of the plan's rows. Plan and targets must stay until the segment is done.
  virtual void begin_segment(const Plan<Real>& plan, const Real* targets,
                             std::span<const Index> order, Index t, double learning_rate) = 0;

  /// Runs the steps [begin, end) of the segment. Adds to `loss`, for each step, the sum of
  /// weight * loss over its rows, before the step. Stops once the sum is not finite.
  virtual double run(Index begin, Index end, double loss) = 0;
};

/// The number of moments of the optimizer of that name; throws std::invalid_argument if there is
/// none.
int moments_of(const Settings& optimizer);

/// The optimizer's settings also hold "l2_linear" and "l2_factors" (`optimizers/penalties.hpp`).
/// These penalties count once for every row in which the parameter's feature occurs, so a parameter
/// that no row of a batch touches has a gradient of zero.
template <class Real>
std::unique_ptr<Trainer<Real>> make_trainer(const StateView<Real>& state, const Settings& loss,
                                            const Settings& optimizer, int threads);

extern template std::unique_ptr<Trainer<float>> make_trainer(const StateView<float>&,
                                                             const Settings&, const Settings&, int);
extern template std::unique_ptr<Trainer<double>> make_trainer(const StateView<double>&,
                                                              const Settings&, const Settings&,
                                                              int);

}  // namespace sparsefm
