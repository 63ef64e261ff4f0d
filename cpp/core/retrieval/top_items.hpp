// The items with the highest scores: exact, for many queries at once.
//
// The score of item i for query q is b_i + <q, v_i>. It is added up in the order of the dimensions,
// so its bits depend neither on the other queries, nor on the threads.
#pragma once

#include "../types.hpp"

namespace sparsefm {

constexpr int item_lanes = 64;  // items scored together: enough sums to hide the latency of one

/// Items in blocks of `item_lanes`: of each block first the b of its items, then each dimension of
/// their v. The last block may be filled up with items whose b is -infinity, which never win.
template <class Real>
struct PackedItems {
  const Real* blocks;  // (count, 1 + dimensions, item_lanes)
  Index count;         // of blocks
  Index dimensions;
};

/// For each query the items that it must not get, ascending.
struct Excluded {
  const Index* offsets;  // (queries + 1,)
  const std::int32_t* items;
};

/// Writes the best `top` items of each query, the best first; of equal scores the lower number is
/// better. Where there are fewer, the number is -1.
///
/// `found` and `scores` are (queries, top), `queries` (count, dimensions).
template <class Real>
void top_items(Index* found, Real* scores, Index top, const PackedItems<Real>& items,
               const Real* queries, Index count, const Excluded& excluded, int threads);

}  // namespace sparsefm
