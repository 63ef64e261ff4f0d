// The search for the items with the highest scores.
#include <algorithm>

#include "../core/retrieval/top_items.hpp"
#include "arrays.hpp"
#include "bind.hpp"

namespace sparsefm {
namespace {

/// Checks that the items that each query must not get are in order.
Excluded excluded_of(const py::object& offsets, const py::object& items, Index queries) {
  const Index size = as_array<std::int32_t>(items, "excluded").size();
  const Excluded found{input<Index>(offsets, {queries + 1}, "offsets"),
                       input<std::int32_t>(items, {size}, "excluded")};
  require(found.offsets[0] == 0 && found.offsets[queries] == size, "offsets must end at the items");
  for (Index q = 0; q < queries; ++q) {
    const Index begin = found.offsets[q], end = found.offsets[q + 1];
    require(begin <= end && end <= size, "offsets must ascend");
    require(std::is_sorted(found.items + begin, found.items + end), "excluded must ascend");
  }
  return found;
}

}  // namespace

void bind_retrieval(py::module_& m) {
  m.attr("item_lanes") = item_lanes;
  m.def("top_items", [](const py::object& found, const py::object& scores, const py::object& blocks,
                        const py::object& queries, const py::object& offsets,
                        const py::object& excluded, int threads) {
    for_real(scores, [&]<class Real> {
      const auto out = as_array<Real>(scores, "scores");
      const auto asked = as_array<Real>(queries, "queries");
      const auto packed = as_array<Real>(blocks, "blocks");
      require(out.ndim() == 2 && asked.ndim() == 2 && packed.ndim() == 3,
              "scores and queries must be 2-D, blocks 3-D");
      const Index count = asked.shape(0), dimensions = asked.shape(1), top = out.shape(1);
      require_shape(packed, {packed.shape(0), 1 + dimensions, item_lanes}, "blocks");
      require(packed.shape(0) <= max_int32 / item_lanes, "there are too many items");
      require(top >= 1, "there must be a place for an item");
      const PackedItems<Real> items{packed.data(), packed.shape(0), dimensions};
      const Excluded never = excluded_of(offsets, excluded, count);
      auto* const ids = output<Index>(found, {count, top}, "found");
      auto* const best = output<Real>(scores, {count, top}, "scores");
      const ReleasedGil released;
      top_items(ids, best, top, items, asked.data(), count, never, threads);
    });
  });
}

}  // namespace sparsefm
