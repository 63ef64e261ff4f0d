// The weights of pairs of fields, checked.
#pragma once

#include <algorithm>

#include "../core/model/field_pairs.hpp"
#include "bind.hpp"
#include "csr.hpp"

namespace sparsefm {

/// From `field_of` (features,) and `weights` (1, fields, fields), or with moments. The fields of
/// features are not checked.
template <class Real>
FieldPairs<Real> field_pairs(const py::object& field_of, const py::object& weights,
                             Index features) {
  const auto blocks = as_array<Real>(weights, "weights");
  require(blocks.ndim() == 3 && blocks.shape(0) >= 1 && blocks.shape(1) == blocks.shape(2),
          "weights must have shape (1 + moments, n_fields, n_fields)");
  const Index fields = blocks.shape(1);
  return {input<std::int32_t>(field_of, {features}, "field_of"), blocks.data(), fields};
}

/// Checks the fields of the features of some rows: of one row that takes no time.
template <class Real, class Values>
void check_fields(const FieldPairs<Real>& pairs, const CsrView<Values>& X, Index first,
                  Index rows) {
  const auto* column = X.columns;
  require(std::all_of(column + X.offsets[first], column + X.offsets[first + rows],
                      [&](Index i) { return pairs.has(i); }),
          "there is no such field");
}

/// The same with moments, from a tuple (field_of, weights, learned).
template <class Real>
FieldPairs<Real> field_pairs_in_training(const py::object& parts, Index features, int moments) {
  const auto [field_of, weights, learned] =
      parts.cast<std::tuple<py::object, py::object, py::object>>();
  auto pairs = field_pairs<Real>(field_of, weights, features);
  for (Index i = 0; i < features; ++i) require(pairs.has(i), "there is no such field");
  pairs.blocks = output<Real>(weights, {1 + moments, pairs.fields, pairs.fields}, "weights");
  pairs.learned = input<Real>(learned, {pairs.fields, pairs.fields}, "learned");
  return pairs;
}

}  // namespace sparsefm
