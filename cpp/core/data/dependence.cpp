#include "dependence.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace sparsefm {
namespace {

/// Calls `differ(feature)` for the features that have a value in one row and not the same in the
/// other; features ascend within a row.
template <class Values, class Differ>
void compare(const CsrRow<Values>& a, const CsrRow<Values>& b, const Differ& differ) {
  Index p = 0, q = 0;
  while (p < a.size && q < b.size) {
    const Feature i = a.features[p], j = b.features[q];
    if (i != j || a.values[p] != b.values[q]) differ(std::min(i, j));
    p += i <= j;
    q += j <= i;
  }
  for (; p < a.size; ++p) differ(a.features[p]);
  for (; q < b.size; ++q) differ(b.features[q]);
}

}  // namespace

template <class Values>
std::optional<Dependence> dependence_on(std::int32_t key, const CsrView<Values>& X,
                                        std::span<const std::int32_t> fields,
                                        std::span<const Index> entries, Index least,
                                        Index& budget) {
  constexpr std::int32_t unknown = -1;
  Dependence found{
      std::vector<std::int32_t>(X.rows), {}, std::vector<std::uint8_t>(entries.size())};
  std::transform(entries.begin(), entries.end(), found.depends.begin(),
                 [](Index number) { return number > 0; });
  found.depends[key] = 1;
  Index left = std::accumulate(entries.begin(), entries.end(), -entries[key]);

  std::vector<std::int32_t> entity_of(X.features + 1, unknown);  // of a feature of `key`, or none
  for (Index r = 0; r < X.rows; ++r) {
    const auto row = X.row(r);
    budget -= row.size;
    Index feature = X.features;
    for (Index p = 0; p < row.size; ++p) {
      if (fields[row.features[p]] != key) continue;
      if (feature < X.features) return {};
      feature = row.features[p];
    }
    auto& entity = entity_of[feature];
    if (entity == unknown) {
      entity = static_cast<std::int32_t>(found.first.size());
      found.first.push_back(static_cast<std::int32_t>(r));
    } else {
      budget -= row.size;
      compare(row, X.row(found.first[entity]), [&](Feature j) {
        const auto field = fields[j];
        if (std::exchange(found.depends[field], std::uint8_t{0}) == 1) left -= entries[field];
      });
    }
    found.entities[r] = entity;
    if (left < least || found.depends[key] == 0 || budget < 0) return {};
  }
  return found;
}

template std::optional<Dependence> dependence_on(std::int32_t, const CsrView<const float*>&,
                                                 std::span<const std::int32_t>,
                                                 std::span<const Index>, Index, Index&);
template std::optional<Dependence> dependence_on(std::int32_t, const CsrView<const double*>&,
                                                 std::span<const std::int32_t>,
                                                 std::span<const Index>, Index, Index&);
template std::optional<Dependence> dependence_on(std::int32_t, const CsrView<Ones<float>>&,
                                                 std::span<const std::int32_t>,
                                                 std::span<const Index>, Index, Index&);

}  // namespace sparsefm
