#include "trainer.hpp"

#include "../optimizers/family.hpp"

namespace sparsefm {

int moments_of(const Settings& optimizer) {
  int moments = 0;
  Optimizers<float>::visit(optimizer.name, [&]<class Optimizer> { moments = Optimizer::moments; });
  return moments;
}

}  // namespace sparsefm
