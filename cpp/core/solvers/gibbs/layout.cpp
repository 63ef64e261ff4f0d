#include "layout.hpp"

#include <algorithm>
#include <numeric>

namespace sparsefm::gibbs {
namespace {

/// Numbers the items by key, those with the same key in their order; -1 where the key is negative.
std::vector<std::int32_t> places_by(std::span<const std::int32_t> keys, Index number_of_keys) {
  std::vector<std::int32_t> next(number_of_keys + 1), places(keys.size(), -1);
  for (const auto key : keys) {
    if (key >= 0) ++next[key + 1];
  }
  std::partial_sum(next.begin(), next.end(), next.begin());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] >= 0) places[i] = next[keys[i]]++;
  }
  return places;
}

/// Of each row the first feature of a field, or the number of features if there is none.
template <class Values>
std::vector<std::int32_t> first_features(const CsrView<Values>& X,
                                         std::span<const std::int32_t> fields, std::int32_t field) {
  std::vector<std::int32_t> found(X.rows);
  for (Index r = 0; r < X.rows; ++r) {
    const auto row = X.row(r);
    const auto* end = row.features + row.size;
    const auto* first =
        std::find_if(row.features, end, [&](Feature j) { return fields[j] == field; });
    found[r] = first == end ? static_cast<std::int32_t>(X.features) : *first;
  }
  return found;
}

template <class Real>
std::vector<std::vector<std::int32_t>> fields_by_home(Relations<Real> relations,
                                                      std::span<const std::int32_t> fields,
                                                      Index number_of_fields) {
  std::vector<std::size_t> homes(number_of_fields, relations.size());
  for (std::size_t n = 0; n < relations.size(); ++n) {
    const auto& X = relations[n].X;
    for (Index p = 0; p < X.nonzeros(); ++p) homes[fields[X.columns[p]]] = n;
  }
  std::vector<std::vector<std::int32_t>> fields_of(relations.size() + 1);
  for (Index field = 0; field < number_of_fields; ++field) {
    fields_of[homes[field]].push_back(static_cast<std::int32_t>(field));
  }
  return fields_of;
}

}  // namespace

template <class Real, class Values>
Layout layout_of(const CsrView<Values>& X, Relations<Real> relations, const Real* weights,
                 std::span<const std::int32_t> fields, Index number_of_fields) {
  Layout layout{std::vector<std::vector<Feature>>(number_of_fields),
                fields_by_home(relations, fields, number_of_fields),
                {}};
  for (Index j = 0; j < X.features; ++j) {
    layout.features_of[fields[j]].push_back(static_cast<Feature>(j));
  }

  const auto size = [&](auto field) { return layout.features_of[field].size(); };
  const auto& of_X = layout.fields_of.back();
  const auto largest =
      std::max_element(of_X.begin(), of_X.end(), [&](auto a, auto b) { return size(a) < size(b); });
  std::vector<std::int32_t> keys(X.rows);
  Index number_of_keys = X.features + 1, most = 0;
  if (largest != of_X.end()) {
    keys = first_features(X, fields, *largest);
    most = static_cast<Index>(size(*largest));
  }
  for (const auto& relation : relations) {
    if (relation.X.rows <= most) continue;
    most = number_of_keys = relation.X.rows;
    keys.assign(relation.entities, relation.entities + X.rows);
  }
  for (Index r = 0; r < X.rows; ++r) {
    if (weights != nullptr && weights[r] == 0) keys[r] = -1;
  }
  layout.places = places_by(keys, number_of_keys);
  return layout;
}

template Layout layout_of(const CsrView<const float*>&, Relations<float>, const float*,
                          std::span<const std::int32_t>, Index);
template Layout layout_of(const CsrView<const double*>&, Relations<double>, const double*,
                          std::span<const std::int32_t>, Index);
template Layout layout_of(const CsrView<Ones<float>>&, Relations<float>, const float*,
                          std::span<const std::int32_t>, Index);
template Layout layout_of(const CsrView<Ones<double>>&, Relations<double>, const double*,
                          std::span<const std::int32_t>, Index);

}  // namespace sparsefm::gibbs
