// The list of all optimizers.
#pragma once

#include "adagrad.hpp"
#include "adam.hpp"
#include "exact_adam.hpp"

namespace sparsefm {

template <class Real>
using Optimizers = Family<AdaGrad<Real>, LazyAdam<Real>, ExactAdam<Real>>;

}  // namespace sparsefm
