#include "csr_scan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sparsefm {

template <class Values>
CsrScan scan(const CsrView<Values>& X) noexcept {
  // There are no branches on the values, so that the loops run in vector registers.
  int outside = 0, infinite = 0, descends = 0, others = 0, zeros = 0;  // yes or no
  const auto end = static_cast<std::uint32_t>(std::min(X.features, Index{1} << 31));
  for (Index r = 0; r < X.rows; ++r) {
    const auto [columns, x, size] = X.row(r);
    using Real = std::decay_t<decltype(x[0])>;
    constexpr auto largest = std::numeric_limits<Real>::max();
    for (Index p = 0; p < size; ++p) {
      outside |= static_cast<std::uint32_t>(columns[p]) >= end ? 1 : 0;
      infinite |= std::abs(x[p]) <= largest ? 0 : 1;
      others |= x[p] != 1 ? 1 : 0;
      zeros |= x[p] == 0 ? 1 : 0;
    }
    for (Index p = 1; p < size; ++p) descends |= columns[p] <= columns[p - 1] ? 1 : 0;
  }
  return {outside != 0, infinite != 0, descends == 0, zeros != 0, others == 0};
}

template CsrScan scan(const CsrView<const float*>&) noexcept;
template CsrScan scan(const CsrView<const double*>&) noexcept;
template CsrScan scan(const CsrView<Ones<float>>&) noexcept;

}  // namespace sparsefm
