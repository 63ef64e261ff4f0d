// Contexts and items: two matrices over the same features, of which none may be in both.
#pragma once

#include "csr.hpp"

namespace sparsefm {

/// Returns which features occur.
template <class Real>
std::vector<bool> occurring(const MatrixView<Real>& X) {
  return std::visit(
      [](const auto& view) {
        std::vector<bool> found(view.features);
        for (Index p = 0; p < view.nonzeros(); ++p) found[view.columns[p]] = true;
        return found;
      },
      X);
}

/// Both must have the same number of features.
template <class Real>
void check_apart(const MatrixView<Real>& contexts, const MatrixView<Real>& items) {
  const auto here = occurring(contexts), there = occurring(items);
  require(here.size() == there.size(), "contexts and items must have the same number of columns");
  for (std::size_t j = 0; j < here.size(); ++j) {
    require(!here[j] || !there[j],
            "feature " + std::to_string(j) + " occurs in contexts and in items: it must be two");
  }
}

}  // namespace sparsefm
