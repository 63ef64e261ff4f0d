// Borrowed views of a CSR matrix. Canonical form is a precondition, checked once at the boundary:
// columns in range, ascending and unique within a row, values finite and non-zero.
#pragma once

#include <type_traits>
#include <variant>

#include "../types.hpp"

namespace sparsefm {

/// Stands for an array of ones, as in one-hot data. It takes no memory, and multiplying by it is
/// free.
template <class Real>
struct Ones {
  constexpr Real operator[](Index) const noexcept { return Real{1}; }
  constexpr Ones operator+(Index) const noexcept { return {}; }
};

/// `indptr` as the user has it, int32 or int64: a conversion would copy 8 bytes a row.
class Offsets {
 public:
  explicit Offsets(const std::int32_t* narrow) noexcept : narrow_(narrow) {}
  explicit Offsets(const std::int64_t* wide) noexcept : wide_(wide) {}

  Index operator[](Index row) const noexcept {
    return wide_ != nullptr ? wide_[row] : narrow_[row];
  }

  void prefetch(Index row) const noexcept {
    sparsefm::prefetch(wide_ != nullptr ? static_cast<const void*>(wide_ + row) : narrow_ + row);
  }

 private:
  const std::int32_t* narrow_ = nullptr;
  const std::int64_t* wide_ = nullptr;
};

/// One row: `size` pairs (feature, value).
template <class Values>
struct CsrRow {
  const Feature* features;
  Values values;
  Index size;
};

/// `Values` is `const Real*` or `Ones<Real>`.
template <class Values>
struct CsrView {
  Index rows = 0;
  Index features = 0;
  Offsets offsets;                   // (rows + 1,)
  const Feature* columns = nullptr;  // (non-zeros,)
  Values values{};                   // (non-zeros,)

  Index nonzeros() const noexcept { return offsets[rows]; }

  void prefetch(Index r) const noexcept {
    const Index begin = offsets[r], end = offsets[r + 1];
    for (Index p = begin; p < end; p += cache_line / Index{sizeof(Feature)}) {
      sparsefm::prefetch(columns + p);
      if constexpr (std::is_pointer_v<Values>) sparsefm::prefetch(values + p);
    }
  }

  CsrRow<Values> row(Index r) const noexcept {
    const Index begin = offsets[r];
    return {columns + begin, values + begin, offsets[r + 1] - begin};
  }
};

/// A matrix of either kind; the kind is resolved once a call, never once a row.
template <class Real>
using MatrixView = std::variant<CsrView<const Real*>, CsrView<Ones<Real>>>;

}  // namespace sparsefm
