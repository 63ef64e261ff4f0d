// Which fields are functions of another, such as the age of the user.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "csr_view.hpp"

namespace sparsefm {

/// The rows that agree in a field have an entity in common.
struct Dependence {
  std::vector<std::int32_t> entities;  // (rows,): of each row, numbered as they first occur
  std::vector<std::int32_t> first;     // (entities,): the first row of each
  std::vector<std::uint8_t> depends;  // (fields,): 1 if rows of an entity always agree in the field
};

/// What depends on field `key`, in which a row may have one feature or none. Nothing if a row has
/// more, or as soon as other fields that may still depend on it have fewer entries than `least`.
/// `fields` (features,); `entries` (fields,): the number of a field's entries, or 0 if it is of no
/// interest. The number of entries that are looked at is taken from `budget`; below zero there is
/// nothing either.
template <class Values>
std::optional<Dependence> dependence_on(std::int32_t key, const CsrView<Values>& X,
                                        std::span<const std::int32_t> fields,
                                        std::span<const Index> entries, Index least, Index& budget);

extern template std::optional<Dependence> dependence_on(std::int32_t, const CsrView<const float*>&,
                                                        std::span<const std::int32_t>,
                                                        std::span<const Index>, Index, Index&);
extern template std::optional<Dependence> dependence_on(std::int32_t, const CsrView<const double*>&,
                                                        std::span<const std::int32_t>,
                                                        std::span<const Index>, Index, Index&);
extern template std::optional<Dependence> dependence_on(std::int32_t, const CsrView<Ones<float>>&,
                                                        std::span<const std::int32_t>,
                                                        std::span<const Index>, Index, Index&);

}  // namespace sparsefm
