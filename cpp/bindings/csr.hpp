// A CSR matrix that has been checked: the only form in which the core takes one from Python.
#pragma once

#include <cmath>
#include <variant>

#include "../core/csr_view.hpp"
#include "arrays.hpp"

namespace sparsefm {

/// Borrows (and keeps alive) the arrays of a CSR matrix after one scan that proves every index in
/// range and every value finite. They must not be changed while this lives.
class Csr {
 public:
  Csr(const py::object& indptr, const py::object& indices, const py::object& values, Index features,
      const std::string& name)
      : indptr_(indptr), indices_(indices), values_(values), features_(features) {
    const bool wide = py::isinstance<Array<std::int64_t>>(indptr);
    const py::array offsets = wide ? py::array(as_array<std::int64_t>(indptr, name + ".indptr"))
                                   : py::array(as_array<std::int32_t>(indptr, name + ".indptr"));
    require(offsets.ndim() == 1 && offsets.size() >= 1, name + ".indptr must be one-dimensional");
    const auto columns = as_array<Feature>(indices, name + ".indices");
    require(columns.ndim() == 1, name + ".indices must be one-dimensional");
    rows_ = offsets.size() - 1;
    offsets_ = wide ? Offsets(static_cast<const std::int64_t*>(offsets.data()))
                    : Offsets(static_cast<const std::int32_t*>(offsets.data()));
    columns_ = columns.data();
    check_offsets(columns.size(), name);
    if (values.is_none()) {
      scan(Ones<float>{}, name);
    } else if (py::isinstance<Array<float>>(values)) {
      scan(checked_values<float>(name), name);
    } else {
      scan(checked_values<double>(name), name);
    }
  }

  const py::object& indptr() const noexcept { return indptr_; }
  const py::object& indices() const noexcept { return indices_; }
  const py::object& values() const noexcept { return values_; }
  Index rows() const noexcept { return rows_; }
  Index features() const noexcept { return features_; }
  Index nonzeros() const noexcept { return offsets_[rows_]; }
  bool canonical() const noexcept { return ascending_ && !zeros_; }
  bool all_ones() const noexcept { return ones_; }

  /// The view for computing in Real; stored values, unless all are one, must be of that type.
  template <class Real>
  std::variant<CsrView<const Real*>, CsrView<Ones<Real>>> view() const {
    require(canonical(), "the CSR matrix has unsorted, duplicate or explicitly zero entries");
    if (ones_) return CsrView<Ones<Real>>{rows_, features_, offsets_, columns_, {}};
    return CsrView<const Real*>{rows_, features_, offsets_, columns_,
                                as_array<Real>(values_, "X.data").data()};
  }

 private:
  template <class Real>
  const Real* checked_values(const std::string& name) const {
    const auto values = as_array<Real>(values_, name + ".data");
    require(values.ndim() == 1 && values.size() >= nonzeros(),
            name + ".data is shorter than its indptr says (" + std::to_string(values.size()) +
                " < " + std::to_string(nonzeros()) + ")");
    return values.data();
  }

  void check_offsets(Index stored, const std::string& name) const {
    require(offsets_[0] == 0,
            name + ".indptr must begin with 0, got " + std::to_string(offsets_[0]));
    for (Index r = 0; r < rows_; ++r) {
      if (offsets_[r] <= offsets_[r + 1]) continue;
      throw py::value_error(name + ".indptr must not decrease: row " + std::to_string(r) +
                            " begins at " + std::to_string(offsets_[r]) + " and ends at " +
                            std::to_string(offsets_[r + 1]));
    }
    require(nonzeros() <= stored, name + ".indices is shorter than its indptr says (" +
                                      std::to_string(stored) + " < " + std::to_string(nonzeros()) +
                                      ")");
  }

  template <class Values>
  void scan(Values values, const std::string& name) {
    const py::gil_scoped_release release;
    for (Index r = 0; r < rows_; ++r) {
      Feature previous = -1;
      for (Index p = offsets_[r]; p < offsets_[r + 1]; ++p) {
        const Feature i = columns_[p];
        const auto x = values[p];
        if (i < 0 || i >= features_) {
          throw py::value_error(name + " has column " + std::to_string(i) + " in row " +
                                std::to_string(r) + ", but only " + std::to_string(features_) +
                                " columns");
        }
        if (!std::isfinite(x)) {
          throw py::value_error(name + " holds " + (std::isnan(x) ? "NaN" : "infinity") +
                                " at row " + std::to_string(r) + ", column " + std::to_string(i) +
                                ": impute or remove it first");
        }
        ascending_ &= i > previous;
        ones_ &= x == 1;
        zeros_ |= x == 0;
        previous = i;
      }
    }
  }

  py::object indptr_, indices_, values_;
  Index rows_ = 0;
  Index features_;
  Offsets offsets_{static_cast<const std::int32_t*>(nullptr)};
  const Feature* columns_ = nullptr;
  bool ascending_ = true;  // and unique, within each row
  bool ones_ = true;
  bool zeros_ = false;
};

}  // namespace sparsefm
