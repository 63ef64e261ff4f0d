// One look at every entry of a CSR matrix that nobody has checked yet.
#pragma once

#include "csr_view.hpp"

namespace sparsefm {

/// What the entries of a matrix are like. Its offsets must be sound: ascending, within the arrays.
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
