// What models with fields have besides, checked.
#pragma once

#include <algorithm>

#include "../core/model/field_blocks.hpp"
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
template <class Fields, class Values>
void check_fields(const Fields& fields, const CsrView<Values>& X, Index first, Index rows) {
  const auto* column = X.columns;
  require(std::all_of(column + X.offsets[first], column + X.offsets[first + rows],
                      [&](Index i) { return fields.has(i); }),
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

/// From `field_of` (features,), for factors (features, width). The fields of features are not
/// checked.
inline FieldBlocks field_blocks(const py::object& field_of, Index fields, Index size,
                                Index features, Index width) {
  require(fields >= 0 && size >= 0 && (size == 0 || fields <= width / size),
          "there are fewer factors than fields");
  return {input<std::int32_t>(field_of, {features}, "field_of"), fields, size};
}

/// The same for training, from a tuple (field_of, n_fields, size).
inline FieldBlocks field_blocks_in_training(const py::object& parts, Index features, Index width) {
  const auto [field_of, fields, size] = parts.cast<std::tuple<py::object, Index, Index>>();
  const auto blocks = field_blocks(field_of, fields, size, features, width);
  for (Index i = 0; i < features; ++i) require(blocks.has(i), "there is no such field");
  return blocks;
}

}  // namespace sparsefm
