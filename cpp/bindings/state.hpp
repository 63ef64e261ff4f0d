// The arrays of a model in training.
#pragma once

#include "../core/model/state_view.hpp"
#include "arrays.hpp"

namespace sparsefm {

/// The arrays of a state (`State` in Python), checked against each other and against the
/// optimizer's number of moments, which comes from the core and not from Python.
template <class Real>
StateView<Real> state_view(const py::object& bias, const py::object& scalars,
                           const py::object& factors, int moments) {
  const auto shape = as_array<Real>(factors, "factors");
  require(shape.ndim() == 3 && shape.shape(2) % 4 == 0,
          "factors must have shape (n_features, 1 + moments, a multiple of 4)");
  const Index features = shape.shape(0), width = shape.shape(2);
  return {output<Real>(bias, {1 + moments}, "bias"),
          output<Real>(scalars, {features, 2 + moments}, "scalars"),
          output<Real>(factors, {features, 1 + moments, width}, "factors"),
          features,
          width,
          moments};
}

}  // namespace sparsefm
