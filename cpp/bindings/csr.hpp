// A CSR matrix that has been checked: the only form in which the core takes one from Python.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "../core/data/csr_scan.hpp"
#include "arrays.hpp"

namespace sparsefm {

/// Borrows the arrays of a CSR matrix, and keeps them alive, after one scan that checks that every
/// index is in range and every value finite. They must not be changed while this object lives.
///
/// If the caller says whether all values are one, the rows have been scanned piece by piece, and
/// are in canonical form: scanning all of a large file at once would take all of it into memory.
class Csr {
 public:
  Csr(const py::object& indptr, const py::object& indices, const py::object& values, Index features,
      const std::string& name, std::optional<bool> all_ones)
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
      check_entries(Ones<float>{}, all_ones, name);
    } else if (py::isinstance<Array<float>>(values)) {
      check_entries(checked_values<float>(name), all_ones, name);
    } else {
      check_entries(checked_values<double>(name), all_ones, name);
    }
  }

  const py::object& indptr() const noexcept { return indptr_; }
  const py::object& indices() const noexcept { return indices_; }
  const py::object& values() const noexcept { return values_; }
  Index rows() const noexcept { return rows_; }
  Index features() const noexcept { return features_; }
  Index nonzeros() const noexcept { return offsets_[rows_]; }
  bool canonical() const noexcept { return canonical_; }
  bool all_ones() const noexcept { return ones_; }

  /// The features that occur in some rows, ascending. If the rows have few entries, their columns
  /// are sorted; otherwise there is a mark for each feature.
  Array<Index> features_of(const py::object& some_rows) const {
    const Index count = as_array<Index>(some_rows, "rows").size();
    const auto* row = input<Index>(some_rows, {count}, "rows");
    require(std::all_of(row, row + count, [&](Index r) { return 0 <= r && r < rows_; }),
            "the matrix has no such row");
    std::vector<Index> found;
    {
      const ReleasedGil released;
      Index entries = 0;
      for (Index q = 0; q < count; ++q) entries += offsets_[row[q] + 1] - offsets_[row[q]];
      const bool few = entries < features_ / 64;
      std::vector<bool> occurs(few ? 0 : features_);
      for (Index q = 0; q < count; ++q) {
        for (Index p = offsets_[row[q]]; p < offsets_[row[q] + 1]; ++p) {
          if (few) {
            found.push_back(columns_[p]);
          } else {
            occurs[columns_[p]] = true;
          }
        }
      }
      std::sort(found.begin(), found.end());
      found.erase(std::unique(found.begin(), found.end()), found.end());
      for (Index i = 0; std::cmp_less(i, occurs.size()); ++i) {
        if (occurs[i]) found.push_back(i);
      }
    }
    return Array<Index>(static_cast<py::ssize_t>(found.size()), found.data());
  }

  /// The view for computing in Real; the values must be of that type, unless all are one.
  template <class Real>
  MatrixView<Real> view() const {
    require(canonical(), "the CSR matrix has unsorted, duplicate or explicitly zero entries");
    if (ones_) return CsrView<Ones<Real>>{rows_, features_, offsets_, columns_, {}};
    return CsrView<const Real*>{rows_, features_, offsets_, columns_,
                                as_array<Real>(values_, "X.data").data()};
  }

  /// The same, with an array of values even if all are one.
  template <class Real>
  CsrView<const Real*> view_of_values(const std::string& name) const {
    require(canonical(), name + " has unsorted, duplicate or explicitly zero entries");
    return {rows_, features_, offsets_, columns_, as_array<Real>(values_, name + ".data").data()};
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
  void check_entries(Values values, std::optional<bool> all_ones, const std::string& name) {
    if (all_ones) {
      canonical_ = true;
      ones_ = *all_ones;
      return;
    }
    const ReleasedGil released;
    const auto found = scan(CsrView<Values>{rows_, features_, offsets_, columns_, values});
    if (found.outside || found.infinite) blame(values, name);
    canonical_ = found.ascending && !found.zeros;
    ones_ = found.ones;
  }

  /// Scans again, to name the row and the column.
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
  bool canonical_ = false;  // columns ascend within each row, and no zero is stored
  bool ones_ = false;
};

}  // namespace sparsefm
