// The blocks of a feature's factors, one for each field.
#pragma once

#include "../types.hpp"

namespace sparsefm {

/// Borrowed. The factors of feature i for field b are `size` numbers from factors(i) + b * size on.
struct FieldBlocks {
  const std::int32_t* field_of = nullptr;  // (features,)
  Index fields = 0;
  Index size = 0;  // the rank, which may be rounded up

  bool has(Index i) const noexcept { return 0 <= field_of[i] && field_of[i] < fields; }
};

}  // namespace sparsefm
