// One scan of all entries of a CSR matrix that is not checked yet.
#pragma once

#include "csr_view.hpp"

namespace sparsefm {

/// Properties of the entries of a matrix. The offsets must be valid: ascending, within the arrays.
struct CsrScan {
  bool outside;    // a column is out of range
  bool infinite;   // a value is NaN or infinite
  bool ascending;  // columns ascend within each row, and so are unique
  bool zeros;      // a zero is stored
  bool ones;       // every value is one
};

template <class Values>
CsrScan scan(const CsrView<Values>& X) noexcept;

extern template CsrScan scan(const CsrView<const float*>&) noexcept;
extern template CsrScan scan(const CsrView<const double*>&) noexcept;
extern template CsrScan scan(const CsrView<Ones<float>>&) noexcept;

}  // namespace sparsefm
