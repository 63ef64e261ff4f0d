#include "build.hpp"

#include <Eigen/Core>
#include <sstream>

#include "parallel.hpp"

namespace sparsefm {

Build build() {
  std::ostringstream eigen;
  eigen << EIGEN_WORLD_VERSION << '.' << EIGEN_MAJOR_VERSION << '.' << EIGEN_MINOR_VERSION;
  return {SPARSEFM_COMPILER, eigen.str(), openmp_version()};
}

}  // namespace sparsefm
