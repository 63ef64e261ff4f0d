// X by columns: for each feature the rows it occurs in.
//
// The rows have an order of their own in memory, which is given. Rows of weight zero are left out.
#pragma once

#include <span>
#include <vector>

#include "../../data/csr_view.hpp"

namespace sparsefm::gibbs {

/// The occurrences of features, one feature after the other.
template <class Real>
struct Columns {
  Index rows = 0;  // with a positive weight
  Index features = 0;
  std::vector<Index> starts;      // (features + 1): where the occurrences of each begin
  std::vector<std::int32_t> row;  // (non-zeros): place of the row; ascending in each feature
  std::vector<Real> values;       // (non-zeros); empty if all are one

  // Where they are asked for, all values are one, and no row has more than two: of each non-zero
  // the other one in its row, or `features` if there is none. Empty otherwise.
  std::vector<Feature> partners;  // (non-zeros)

  bool paired() const noexcept { return !partners.empty(); }
  Index size(Index j) const noexcept { return starts[j + 1] - starts[j]; }
};

/// `places` (rows,): of each row in memory; -1: it is left out.
template <class Real, class Values>
Columns<Real> columns_of(const CsrView<Values>& X, std::span<const std::int32_t> places,
                         bool with_partners);

/// Features that share no row: given all other parameters they are independent.
struct FeatureClass {
  std::int32_t field;
  std::vector<Feature> features;  // ascending
};

/// Splits the features of some fields into classes by greedy colouring: each feature in turn joins
/// the first class of its field with which it shares no row. `features_of`: of each field.
template <class Real>
std::vector<FeatureClass> classes_of(const Columns<Real>& columns,
                                     const std::vector<std::vector<Feature>>& features_of,
                                     std::span<const std::int32_t> chosen);

}  // namespace sparsefm::gibbs
