// A CSR matrix that has been checked: the only form in which the core takes one from Python.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
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
    require(features >= 0, name + " cannot have a negative number of features");
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

  /// Which features occur in some rows, (features,).
  Array<bool> features_of(const py::object& some_rows) const {
    const Index count = as_array<Index>(some_rows, "rows").size();
    const Index* row = input<Index>(some_rows, {count}, "rows");
    require(std::all_of(row, row + count, [&](Index r) { return 0 <= r && r < rows_; }),
            "the matrix has no such row");
    Array<bool> found(features_);
    bool* const occurs = found.mutable_data();
    const py::gil_scoped_release release;
    std::fill_n(occurs, features_, false);
    for (Index q = 0; q < count; ++q) {
      for (Index p = offsets_[row[q]]; p < offsets_[row[q] + 1]; ++p) occurs[columns_[p]] = true;
    }
    return found;
  }

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

  /// Looks at every entry once, without a branch on what it finds; looks again only to tell where.
  template <class Values>
  void scan(Values values, const std::string& name) {
    const py::gil_scoped_release release;
    int outside = 0, infinite = 0, descends = 0, others = 0, zeros = 0;  // yes or no
    const auto end = static_cast<std::uint32_t>(std::min(features_, Index{1} << 31));
    constexpr auto largest = std::numeric_limits<std::decay_t<decltype(values[0])>>::max();
    for (Index r = 0; r < rows_; ++r) {
      const Index begin = offsets_[r], size = offsets_[r + 1] - begin;
      const Feature* columns = columns_ + begin;
      const auto x = values + begin;
      for (Index p = 0; p < size; ++p) {
        outside |= static_cast<std::uint32_t>(columns[p]) >= end ? 1 : 0;
        infinite |= std::abs(x[p]) <= largest ? 0 : 1;
        others |= x[p] != 1 ? 1 : 0;
        zeros |= x[p] == 0 ? 1 : 0;
      }
      for (Index p = 1; p < size; ++p) descends |= columns[p] <= columns[p - 1] ? 1 : 0;
    }
    if (outside != 0 || infinite != 0) blame(values, name);
    ascending_ = descends == 0;
    ones_ = others == 0;
    zeros_ = zeros != 0;
  }

  template <class Values>
  [[noreturn]] void blame(Values values, const std::string& name) const {
    for (Index r = 0; r < rows_; ++r) {
      for (Index p = offsets_[r]; p < offsets_[r + 1]; ++p) {
        const Feature i = columns_[p];
        if (i < 0 || i >= features_) {
          throw py::value_error(name + " has column " + std::to_string(i) + " in row " +
                                std::to_string(r) + ", but only " + std::to_string(features_) +
                                " columns");
        }
        if (!std::isfinite(values[p])) {
          throw py::value_error(name + " holds " + (std::isnan(values[p]) ? "NaN" : "infinity") +
                                " at row " + std::to_string(r) + ", column " + std::to_string(i) +
                                ": impute or remove it first");
        }
      }
    }
    throw py::value_error(name + " was changed while it was being checked");
  }

  py::object indptr_, indices_, values_;
  Index rows_ = 0;
  Index features_;
  Offsets offsets_{static_cast<const std::int32_t*>(nullptr)};
  const Feature* columns_ = nullptr;
  bool ascending_;  // and unique, within each row
  bool ones_;
  bool zeros_;
};

}  // namespace sparsefm
