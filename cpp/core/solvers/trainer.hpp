// One training: parameters that somebody else owns, a loss and an optimizer. It learns from plans.
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

  /// Starts a segment, an epoch or a part of one whose batches are transposed: order.size() steps
  /// after t earlier ones. Step s takes batch order[s] of the plan. `targets` are those of the
  /// plan's rows. Plan and targets must stay until the segment is done.
  virtual void begin_segment(const Plan<Real>& plan, const Real* targets,
                             std::span<const Index> order, Index t, double learning_rate) = 0;

  /// Runs the steps [begin, end) of the segment; adds to `loss`, step by step, the sum over their
  /// rows of weight * loss, each taken before its step. Stops once that is not finite.
  virtual double run(Index begin, Index end, double loss) = 0;
};

/// How many numbers the optimizer of that name remembers of each parameter; std::invalid_argument
/// if there is none.
int moments_of(const Settings& optimizer);

/// The optimizer's settings hold also "l2_linear" and "l2_factors", which weigh a parameter once
/// for every row that has its feature: so a parameter that no row of a batch touches has a gradient
/// of zero.
template <class Real>
std::unique_ptr<Trainer<Real>> make_trainer(const StateView<Real>& state, const Settings& loss,
                                            const Settings& optimizer, int threads);

extern template std::unique_ptr<Trainer<float>> make_trainer(const StateView<float>&,
                                                             const Settings&, const Settings&, int);
extern template std::unique_ptr<Trainer<double>> make_trainer(const StateView<double>&,
                                                              const Settings&, const Settings&,
                                                              int);

}  // namespace sparsefm
