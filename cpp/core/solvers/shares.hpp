// The shares omega_r of the rows of a batch: weight_r / sum of weights.
#pragma once

#include <vector>

#include "../data/batch.hpp"

namespace sparsefm {

/// The share of the rows of a feature. If the rows have no weights, all shares are the same.
template <class Real, class Values>
double share_of(const Occurrences<Values>& occurrences, const std::vector<Real>& shares,
                bool weighted) noexcept {
  if (!weighted) return static_cast<double>(occurrences.size) * shares[0];
  double share = 0;
  for (Index p = 0; p < occurrences.size; ++p) share += shares[occurrences.rows[p]];
  return share;
}

}  // namespace sparsefm
