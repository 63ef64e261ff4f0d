// The weights of pairs of fields, checked.
#pragma once

#include <algorithm>

#include "../core/model/field_pairs.hpp"
#include "bind.hpp"

namespace sparsefm {

/// From `field_of` (features,) and `weights` (1, fields, fields), or with moments.
template <class Real>
FieldPairs<Real> field_pairs(const py::object& field_of, const py::object& weights,
                             Index features) {
  const auto blocks = as_array<Real>(weights, "weights");
  require(blocks.ndim() == 3 && blocks.shape(0) >= 1 && blocks.shape(1) == blocks.shape(2),
          "weights must have shape (1 + moments, n_fields, n_fields)");
  const Index fields = blocks.shape(1);
  const auto* field = input<std::int32_t>(field_of, {features}, "field_of");
  require(std::all_of(field, field + features, [&](Index a) { return 0 <= a && a < fields; }),
          "there is no such field");
  return {field, blocks.data(), fields};
}

/// The same with moments, from a tuple (field_of, weights, learned).
template <class Real>
FieldPairs<Real> field_pairs_in_training(const py::object& parts, Index features, int moments) {
  const auto [field_of, weights, learned] =
      parts.cast<std::tuple<py::object, py::object, py::object>>();
  auto pairs = field_pairs<Real>(field_of, weights, features);
  pairs.blocks = output<Real>(weights, {1 + moments, pairs.fields, pairs.fields}, "weights");
  pairs.learned = input<Real>(learned, {pairs.fields, pairs.fields}, "learned");
  return pairs;
}

}  // namespace sparsefm
