#include "top_items.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "../parallel.hpp"
#include "../registers.hpp"

namespace sparsefm {
namespace {

constexpr Index tile_blocks = 64;        // that stay in the cache while all queries read them
constexpr Index queries_at_once = 64;    // of a task
constexpr Index least_chunk = 1024;      // blocks of a task
constexpr Index most_chunks = 64;        // of all items
constexpr Index kept_at_once = 1 << 20;  // items, of all queries and chunks

template <class Real>
struct Found {
  Real score;
  std::int32_t item;

  /// Whether this one is better.
  bool operator<(const Found& other) const noexcept {
    return score != other.score ? score > other.score : item < other.item;
  }
};

/// The best of what was offered to it: a heap whose first is the worst.
template <class Real>
class Best {
 public:
  Best(Found<Real>* kept, Index top) : kept_(kept), top_(top) {}

  Index size() const noexcept { return size_; }

  /// What has no higher score than this need not be offered, if items are offered in their order.
  Real bar() const noexcept { return bar_; }

  void offer(const Found<Real>& one) noexcept {
    if (size_ == top_) {
      if (!(one < kept_[0])) return;
      std::pop_heap(kept_, kept_ + size_--);
    }
    kept_[size_++] = one;
    std::push_heap(kept_, kept_ + size_);
    if (size_ == top_) bar_ = kept_[0].score;
  }

 private:
  Found<Real>* kept_;
  Index top_;
  Index size_ = 0;
  Real bar_ = -std::numeric_limits<Real>::infinity();
};

/// Returns the scores of the items of a block.
template <class Real>
Lanes<Real, item_lanes> scores_of(const Real* block, const Real* query, Index dimensions) noexcept {
  using L = Lanes<Real, item_lanes>;
  L scores = Eigen::Map<const L>(block);
  for (Index d = 0; d < dimensions; ++d) {
    add_product<Real, item_lanes>(scores, L::Constant(query[d]),
                                  Eigen::Map<const L>(block + (d + 1) * item_lanes));
  }
  return scores;
}

/// Offers the items of the blocks [begin, end) to a query.
template <class Real>
void offer_blocks(Best<Real>& best, const PackedItems<Real>& items, Index begin, Index end,
                  const Real* query, const std::int32_t* excluded,
                  const std::int32_t* excluded_end) {
  const Index stride = (1 + items.dimensions) * item_lanes;
  for (Index block = begin; block < end; ++block) {
    const auto scores = scores_of(items.blocks + block * stride, query, items.dimensions);
    if (!(scores.maxCoeff() > best.bar())) continue;
    for (int lane = 0; lane < item_lanes; ++lane) {
      if (!(scores[lane] > best.bar())) continue;
      const auto item = static_cast<std::int32_t>(block * item_lanes + lane);
      if (std::binary_search(excluded, excluded_end, item)) continue;
      best.offer({scores[lane], item});
    }
  }
}

}  // namespace

template <class Real>
void top_items(Index* found, Real* scores, Index top, const PackedItems<Real>& items,
               const Real* queries, Index count, const Excluded& excluded, int threads) {
  const Index chunk = std::max(least_chunk, (items.count + most_chunks - 1) / most_chunks);
  const Index chunks = std::max<Index>(1, (items.count + chunk - 1) / chunk);
  const Index of_chunk = std::min(top, chunk * item_lanes);  // that may be among the best
  const Index group =
      std::clamp<Index>(kept_at_once / (chunks * of_chunk), 1, 16 * queries_at_once);
  const auto work = count * items.count * item_lanes * (1 + items.dimensions);
  const Index tasks = (std::min(group, count) + queries_at_once - 1) / queries_at_once * chunks;
  std::vector<Found<Real>> kept(std::min(group, count) * chunks * of_chunk);
  std::vector<Index> sizes(std::min(group, count) * chunks);

  with_team(team_size(threads, tasks, work), [&](Team& team) {
    for (Index first = 0; first < count; first += group) {
      const Index last = std::min(first + group, count), of_group = last - first;
      const Index parts = (of_group + queries_at_once - 1) / queries_at_once;
      team.for_each(parts * chunks, [&](Index task, int) {
        const Index part = task / chunks, number = task % chunks;
        const Index begin = first + part * queries_at_once;
        const Index end = std::min(begin + queries_at_once, last);
        std::vector<Best<Real>> bests;
        bests.reserve(end - begin);
        for (Index q = begin; q < end; ++q) {
          bests.emplace_back(kept.data() + ((q - first) * chunks + number) * of_chunk, of_chunk);
        }
        const Index chunk_end = std::min((number + 1) * chunk, items.count);
        for (Index tile = number * chunk; tile < chunk_end; tile += tile_blocks) {
          for (Index q = begin; q < end; ++q) {
            offer_blocks(bests[q - begin], items, tile, std::min(tile + tile_blocks, chunk_end),
                         queries + q * items.dimensions, excluded.items + excluded.offsets[q],
                         excluded.items + excluded.offsets[q + 1]);
          }
        }
        for (Index q = begin; q < end; ++q) {
          sizes[(q - first) * chunks + number] = bests[q - begin].size();
        }
      });
      team.for_blocks(of_group, queries_at_once, [&](Index, Index begin, Index end) {
        std::vector<Found<Real>> all;
        for (Index q = begin; q < end; ++q) {
          all.clear();
          for (Index number = 0; number < chunks; ++number) {
            const auto* const own = kept.data() + (q * chunks + number) * of_chunk;
            all.insert(all.end(), own, own + sizes[q * chunks + number]);
          }
          std::sort(all.begin(), all.end());
          for (Index place = 0; place < top; ++place) {
            const bool is_one = place < static_cast<Index>(all.size());
            found[(first + q) * top + place] = is_one ? all[place].item : -1;
            scores[(first + q) * top + place] =
                is_one ? all[place].score : -std::numeric_limits<Real>::infinity();
          }
        }
      });
    }
  });
}

template void top_items(Index*, float*, Index, const PackedItems<float>&, const float*, Index,
                        const Excluded&, int);
template void top_items(Index*, double*, Index, const PackedItems<double>&, const double*, Index,
                        const Excluded&, int);

}  // namespace sparsefm
