// Where the fields are, and in which order the rows are in memory.
#pragma once

#include <vector>

#include "gibbs.hpp"

namespace sparsefm::gibbs {

struct Layout {
  std::vector<std::vector<Feature>> features_of;     // each field
  std::vector<std::vector<std::int32_t>> fields_of;  // each relation, and at last X
  std::vector<std::int32_t> places;                  // (rows,): in memory; -1: left out
};

/// The features of X's largest field, or the entities of a larger relation, have consecutive rows,
/// because such a feature has few, and each would be a cache miss. Rows of weight zero are left
/// out.
template <class Real, class Values>
Layout layout_of(const CsrView<Values>& X, Relations<Real> relations, const Real* weights,
                 std::span<const std::int32_t> fields, Index number_of_fields);

}  // namespace sparsefm::gibbs
