// One training run: mini-batches of a CSR matrix over parameters that somebody else owns.
//
// A step uses its batch twice, in two parallel loops:
//
//   rows      r:  S_r = sum_i x_i v_i,  s_r,  e_r = omega_r dL/ds,  T_r = e_r S_r
//   features  i:  dv_i = sum_r x T_r - v_i sum_r e_r x^2,  dw_i = sum_r e_r x,  and their update
//
// omega_r is the row's share of the batch, weight_r / sum of weights. Every parameter has one
// writer, every sum a fixed order, so the number of threads does not change a bit of the result.
#pragma once

#include <memory>
#include <span>
#include <variant>

#include "csr_view.hpp"
#include "losses.hpp"
#include "model_view.hpp"
#include "optimizers/adagrad.hpp"
#include "optimizers/adam.hpp"

namespace sparsefm {

/// What a run needs besides the parameters. Everything is borrowed and must outlive the trainer.
template <class Real>
struct TrainingTask {
  std::variant<CsrView<const Real*>, CsrView<Ones<Real>>> X;
  std::span<const Index> rows;  // the rows of X in training order; batches are consecutive pieces
  const Real* targets;          // (rows,) in training order
  const Real* weights;          // (rows,) in training order, positive; null: all one
  LossKernel<Real> loss;
  Index batch_size;
  Real l2_linear;   // both weigh a parameter once for every row that has its feature, so that
  Real l2_factors;  // a parameter that no row of a batch touches has a gradient of zero
  int threads;
};

using OptimizerSettings = std::variant<AdamSettings, AdaGradSettings>;

class Trainer {
 public:
  virtual ~Trainer() = default;

  /// Transposes those of the batches that are not; they stay so until forgotten.
  virtual void plan(std::span<const Index> batches) = 0;
  virtual void forget(std::span<const Index> batches) = 0;

  /// The bytes that the plan of a batch takes; 0 if it has none.
  virtual Index plan_bytes(Index batch) const = 0;

  /// Starts a segment, an epoch or a part of one whose batches are planned: order.size() steps
  /// after t earlier ones. Step s takes batch order[s].
  virtual void begin_segment(std::span<const Index> order, Index t, double learning_rate) = 0;

  /// Runs the steps [begin, end) of the segment; adds to `loss`, step by step, the sum over their
  /// rows of weight * loss, each taken before its step. Stops once that is not finite.
  virtual double run(Index begin, Index end, double loss) = 0;
};

template <class Real>
std::unique_ptr<Trainer> make_trainer(const TrainingTask<Real>& task, const StateView<Real>& state,
                                      const OptimizerSettings& settings);

extern template std::unique_ptr<Trainer> make_trainer(const TrainingTask<float>&,
                                                      const StateView<float>&,
                                                      const OptimizerSettings&);
extern template std::unique_ptr<Trainer> make_trainer(const TrainingTask<double>&,
                                                      const StateView<double>&,
                                                      const OptimizerSettings&);

}  // namespace sparsefm
