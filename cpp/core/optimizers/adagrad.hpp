// AdaGrad (Duchi, Hazan & Singer 2011) on the sum, not the mean, of a batch's gradients:
//
//   h = h + (B g)^2,   theta -= learning_rate B g / sqrt(h),   B rows in the batch,
//
// so a batch moves parameters about as far as its rows one by one. h starts above zero, which damps
// rare features.
// A parameter that no row of a batch touches has g = 0 and does not move: sparse equals dense.
#pragma once

#include "optimizer.hpp"

namespace sparsefm {

template <class Real>
class AdaGrad {
 public:
  static constexpr std::string_view name = "adagrad";
  static constexpr int moments = 1;
  static constexpr bool catches_up = false;
  struct Missed {};

  explicit AdaGrad(const Settings&) {}

  void begin_segment(Index, Index, double learning_rate) noexcept {
    learning_rate_ = static_cast<Real>(learning_rate);
  }

  void begin_step(Index, Index rows) noexcept { rows_ = static_cast<Real>(rows); }

  Missed missed(Index) const noexcept { return {}; }

  template <class L>
  void apply(Real* parameter, Index stride, const L& g, Missed) const noexcept {
    Eigen::Map<L> theta(parameter), h(parameter + stride);
    const L sum = rows_ * g;
    h += sum.square();
    theta -= learning_rate_ * sum / h.sqrt();
  }

 private:
  Real learning_rate_ = 0;
  Real rows_ = 0;
};

static_assert(OptimizerOf<AdaGrad<float>, float>);

}  // namespace sparsefm
