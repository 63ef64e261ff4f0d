// The layers of the specification, stateless: forward, backward, one dense Adam step.
#pragma once

#include "data/csr_view.hpp"
#include "model/model_view.hpp"
#include "settings.hpp"

namespace sparsefm {

/// scores[r] = s(x_{first + r}) for 0 <= r < rows
template <class Real>
void forward(Real* scores, const MatrixView<Real>& X, Index first, Index rows,
             const ModelView<Real>& model, int threads);

/// Computes linear (features,) = dL/dw and factors (features, rank) = dL/dV from
/// slopes (rows,) = dL/ds; both are zeros on entry. Scratch: rows * rank, the transpose of X and
/// its pieces.
template <class Real>
void backward(Real* linear, Real* factors, const MatrixView<Real>& X, const Real* slopes,
              const ModelView<Real>& model, int threads);

/// Makes step t of Adam, from 1, in place, on arrays of `size` parameters. The constants are beta1,
/// beta2, epsilon and learning_rate.
template <class Real>
void adam_update(Real* theta, const Real* gradient, Real* m, Real* v, Index size, Index t,
                 const Settings& adam);

}  // namespace sparsefm
