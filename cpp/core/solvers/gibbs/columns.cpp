#include "columns.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace sparsefm::gibbs {
namespace {

/// Numbers the items by key, those with the same key in their order: for each item its position,
/// or -1 where the key is negative.
std::vector<std::int32_t> positions_by(std::span<const std::int32_t> keys, Index number_of_keys) {
  std::vector<std::int32_t> next(number_of_keys + 1), positions(keys.size(), -1);
  for (const auto key : keys) {
    if (key >= 0) ++next[key + 1];
  }
  std::partial_sum(next.begin(), next.end(), next.begin());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] >= 0) positions[i] = next[keys[i]]++;
  }
  return positions;
}

std::vector<Index> sizes_of(std::span<const std::int32_t> fields) {
  std::vector<Index> sizes(1);
  for (const auto field : fields) {
    if (std::cmp_greater_equal(field, sizes.size())) sizes.resize(field + 1);
    ++sizes[field];
  }
  return sizes;
}

/// Places of the rows, by their first feature of the largest field.
template <class Real, class Values>
std::vector<std::int32_t> places_of(const CsrView<Values>& X, const Real* weights,
                                    std::span<const std::int32_t> fields) {
  const auto sizes = sizes_of(fields);
  const auto largest = std::max_element(sizes.begin(), sizes.end()) - sizes.begin();
  std::vector<std::int32_t> keys(X.rows);
  for (Index r = 0; r < X.rows; ++r) {
    const auto row = X.row(r);
    const auto* end = row.features + row.size;
    const auto* found =
        std::find_if(row.features, end, [&](Feature j) { return fields[j] == largest; });
    keys[r] = found == end ? static_cast<std::int32_t>(X.features) : *found;
    if (weights != nullptr && weights[r] == 0) keys[r] = -1;
  }
  return positions_by(keys, X.features + 1);
}

}  // namespace

template <class Real, class Values>
Columns<Real> columns_of(const CsrView<Values>& X, const Real* weights,
                         std::span<const std::int32_t> fields) {
  constexpr bool has_values = std::is_pointer_v<Values>;
  Columns<Real> columns;
  columns.features = X.features;
  columns.places = places_of(X, weights, fields);
  columns.starts.resize(X.features + 1);

  std::vector<std::int32_t> rows_in_order(X.rows);
  bool paired = !has_values;
  for (Index r = 0; r < X.rows; ++r) {
    if (columns.places[r] < 0) continue;
    ++columns.rows;
    rows_in_order[columns.places[r]] = static_cast<std::int32_t>(r);
    const auto row = X.row(r);
    paired = paired && row.size <= 2;
    for (Index p = 0; p < row.size; ++p) ++columns.starts[row.features[p] + 1];
  }
  std::partial_sum(columns.starts.begin(), columns.starts.end(), columns.starts.begin());

  const Index nonzeros = columns.starts.back();
  columns.row.resize(nonzeros);
  if constexpr (has_values) columns.values.resize(nonzeros);
  if (paired) columns.partners.resize(nonzeros, static_cast<Feature>(X.features));
  std::vector<Index> ends(columns.starts.begin(), columns.starts.end() - 1);
  for (Index place = 0; place < columns.rows; ++place) {
    const auto row = X.row(rows_in_order[place]);
    for (Index p = 0; p < row.size; ++p) {
      const Index at = ends[row.features[p]]++;
      columns.row[at] = static_cast<std::int32_t>(place);
      if constexpr (has_values) columns.values[at] = row.values[p];
      if (!paired || row.size < 2) continue;
      columns.partners[at] = row.features[1 - p];
    }
  }
  return columns;
}

template <class Real>
std::vector<FeatureClass> classes_of(const Columns<Real>& columns,
                                     std::span<const std::int32_t> fields) {
  const auto sizes = sizes_of(fields);
  const auto number_of_fields = static_cast<Index>(sizes.size());
  const auto order = positions_by(fields, number_of_fields);
  std::vector<Feature> by_field(fields.size());
  for (Index j = 0; j < columns.features; ++j) by_field[order[j]] = static_cast<Feature>(j);

  // For each row the classes of the field that have a feature in it, 64 classes to a word.
  std::vector<std::vector<std::uint64_t>> taken(1, std::vector<std::uint64_t>(columns.rows));
  std::vector<FeatureClass> classes;
  Index end = 0;
  for (Index field = 0; field < number_of_fields; ++field) {
    const Index begin = end;
    end += sizes[field];
    const auto first_class = static_cast<Index>(classes.size());
    const auto rows_of = [&](Feature j) {
      return std::span(columns.row).subspan(columns.starts[j], columns.size(j));
    };
    for (const Feature j : std::span(by_field).subspan(begin, sizes[field])) {
      Index colour = 0;
      for (Index word = 0;; ++word) {
        if (std::cmp_equal(word, taken.size())) taken.emplace_back(columns.rows);
        std::uint64_t met = 0;
        for (const auto r : rows_of(j)) met |= taken[word][r];
        colour = 64 * word + std::countr_one(met);
        if (~met == 0) continue;
        for (const auto r : rows_of(j)) taken[word][r] |= std::uint64_t{1} << (colour % 64);
        break;
      }
      if (std::cmp_equal(first_class + colour, classes.size())) {
        classes.push_back({static_cast<std::int32_t>(field), {}});
      }
      classes[first_class + colour].features.push_back(j);
    }
    for (const Feature j : std::span(by_field).subspan(begin, sizes[field])) {
      for (auto& word : taken) {
        for (const auto r : rows_of(j)) word[r] = 0;
      }
    }
  }
  return classes;
}

template struct Columns<float>;
template struct Columns<double>;
template Columns<float> columns_of(const CsrView<const float*>&, const float*,
                                   std::span<const std::int32_t>);
template Columns<double> columns_of(const CsrView<const double*>&, const double*,
                                    std::span<const std::int32_t>);
template Columns<float> columns_of(const CsrView<Ones<float>>&, const float*,
                                   std::span<const std::int32_t>);
template Columns<double> columns_of(const CsrView<Ones<double>>&, const double*,
                                    std::span<const std::int32_t>);
template std::vector<FeatureClass> classes_of(const Columns<float>&, std::span<const std::int32_t>);
template std::vector<FeatureClass> classes_of(const Columns<double>&,
                                              std::span<const std::int32_t>);

}  // namespace sparsefm::gibbs
