// How this copy of the core was built.
#pragma once

#include <string>

namespace sparsefm {

struct Build {
  std::string compiler;
  std::string eigen;
  int openmp;  // version of the standard, yyyymm; 0: none, threads are the standard library's
};

Build build();

}  // namespace sparsefm
