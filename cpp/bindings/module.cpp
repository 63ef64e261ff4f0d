// The extension module, built once for each level of the instruction set.
#include "../core/build.hpp"
#include "../core/spare_memory.hpp"
#include "../core/speedup.hpp"
#include "bind.hpp"

PYBIND11_MODULE(SPARSEFM_MODULE, m) {
  sparsefm::can_throw();
  sparsefm::bind_data(m);
  sparsefm::bind_all_pairs(m);
  sparsefm::bind_losses(m);
  sparsefm::bind_layers(m);
  sparsefm::bind_training(m);
  sparsefm::bind_gibbs(m);
  sparsefm::bind_ranking(m);
  sparsefm::bind_retrieval(m);
  sparsefm::bind_text(m);
  m.def("keep_helpers", [](bool always) { sparsefm::always_help = always; });
  const auto build = sparsefm::build();
  m.attr("compiler") = build.compiler;
  m.attr("eigen_version") = build.eigen;
  m.attr("openmp_version") = build.openmp;
}
