#include "columns.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace sparsefm::gibbs {

template <class Real, class Values>
Columns<Real> columns_of(const CsrView<Values>& X, std::span<const std::int32_t> places,
                         bool with_partners) {
  constexpr bool has_values = std::is_pointer_v<Values>;
  Columns<Real> columns;
  columns.features = X.features;
  columns.starts.resize(X.features + 1);

  std::vector<std::int32_t> rows_in_order(X.rows);
  bool paired = with_partners && !has_values;
  for (Index r = 0; r < X.rows; ++r) {
    if (places[r] < 0) continue;
    ++columns.rows;
    rows_in_order[places[r]] = static_cast<std::int32_t>(r);
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

namespace {

/// Colours of the features of one field. Those that meet all of so many colours are left alone: for
/// each row it is known which colours it has, and that takes memory.
class Colouring {
 public:
  static constexpr Index most = 1024;

  explicit Colouring(Index rows) : rows_(rows) {}

  /// The first colour that none of these rows has; they have it from now on. Or `most`.
  Index colour(std::span<const std::int32_t> rows) {
    for (std::size_t word = 0; word < most / 64; ++word) {
      if (word == taken_.size()) taken_.emplace_back(rows_);
      std::uint64_t met = 0;
      for (const auto r : rows) met |= taken_[word][r];
      if (~met == 0) continue;
      const int bit = std::countr_one(met);
      for (const auto r : rows) taken_[word][r] |= std::uint64_t{1} << bit;
      return static_cast<Index>(word) * 64 + bit;
    }
    return most;
  }

  void clear(std::span<const std::int32_t> rows) noexcept {
    for (auto& word : taken_) {
      for (const auto r : rows) word[r] = 0;
    }
  }

 private:
  Index rows_;
  std::vector<std::vector<std::uint64_t>> taken_;  // 64 colours each: of every row
};

}  // namespace

template <class Real>
std::vector<FeatureClass> classes_of(const Columns<Real>& columns,
                                     const std::vector<std::vector<Feature>>& features_of,
                                     std::span<const std::int32_t> chosen) {
  const auto rows_of = [&](Feature j) {
    return std::span(columns.row).subspan(columns.starts[j], columns.size(j));
  };
  Colouring colouring(columns.rows);
  std::vector<FeatureClass> classes;
  for (const auto field : chosen) {
    std::vector<FeatureClass> coloured, alone;
    for (const Feature j : features_of[field]) {
      const Index colour = colouring.colour(rows_of(j));
      if (colour == Colouring::most) {
        alone.push_back({field, {j}});
        continue;
      }
      if (std::cmp_equal(colour, coloured.size())) coloured.push_back({field, {}});
      coloured[colour].features.push_back(j);
    }
    for (const Feature j : features_of[field]) colouring.clear(rows_of(j));
    classes.insert(classes.end(), coloured.begin(), coloured.end());
    classes.insert(classes.end(), alone.begin(), alone.end());
  }
  return classes;
}

template Columns<float> columns_of(const CsrView<const float*>&, std::span<const std::int32_t>,
                                   bool);
template Columns<double> columns_of(const CsrView<const double*>&, std::span<const std::int32_t>,
                                    bool);
template Columns<float> columns_of(const CsrView<Ones<float>>&, std::span<const std::int32_t>,
                                   bool);
template Columns<double> columns_of(const CsrView<Ones<double>>&, std::span<const std::int32_t>,
                                    bool);
template std::vector<FeatureClass> classes_of(const Columns<float>&,
                                              const std::vector<std::vector<Feature>>&,
                                              std::span<const std::int32_t>);
template std::vector<FeatureClass> classes_of(const Columns<double>&,
                                              const std::vector<std::vector<Feature>>&,
                                              std::span<const std::int32_t>);

}  // namespace sparsefm::gibbs
