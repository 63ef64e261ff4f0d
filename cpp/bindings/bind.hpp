// The parts of the extension module, one function for each file. They are compiled once for all
// levels of the instruction set, so no file here may include Eigen, whose types differ by level.
#pragma once

#include <pybind11/pybind11.h>

namespace sparsefm {

void bind_all_pairs(const pybind11::module_& m);
void bind_data(pybind11::module_& m);
void bind_gibbs(pybind11::module_& m);
void bind_layers(pybind11::module_& m);
void bind_losses(pybind11::module_& m);
void bind_ranking(const pybind11::module_& m);
void bind_retrieval(pybind11::module_& m);
void bind_text(const pybind11::module_& m);
void bind_training(pybind11::module_& m);

}  // namespace sparsefm
