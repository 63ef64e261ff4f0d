// The weights of pairs of fields, with the optimizer's moments.
#pragma once

#include "../types.hpp"

namespace sparsefm {

/// Borrowed arrays. The weights are a symmetric matrix.
template <class Real>
struct FieldPairs {
  const std::int32_t* field_of = nullptr;  // (features,)
  const Real* weights = nullptr;           // (fields, fields)   r_ab
  Index fields = 0;

  // For training.
  Real* blocks = nullptr;         // (1 + moments, fields, fields)   the weights, and their moments
                                  // where a <= b
  const Real* learned = nullptr;  // (fields, fields)   0 where r_ab stays as it is

  Index size() const noexcept { return fields * fields; }
  bool has(Index i) const noexcept { return 0 <= field_of[i] && field_of[i] < fields; }
  Real weight(Index a, Index b) const noexcept { return weights[a * fields + b]; }
};

}  // namespace sparsefm
