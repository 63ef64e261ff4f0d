// What the extension module consists of: one function a file. They are compiled once for all levels
// of the instruction set, so nothing here may include Eigen, whose types differ between levels.
#pragma once

#include <pybind11/pybind11.h>

namespace sparsefm {

void bind_data(pybind11::module_& m);
void bind_layers(pybind11::module_& m);
void bind_losses(pybind11::module_& m);
void bind_training(pybind11::module_& m);

}  // namespace sparsefm
