// How negatives are drawn: items that are compared with the item of a positive.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "../solvers/gibbs/philox.hpp"
#include "../types.hpp"

namespace sparsefm {

/// The pairs to learn from: a user had item i in context c, with a weight. Borrowed arrays
/// (positives,).
template <class Real>
struct Positives {
  std::span<const std::int32_t> contexts;
  std::span<const std::int32_t> users;
  std::span<const std::int32_t> items;
  const Real* weights;  // null: all one
  const Index* begins;  // negatives of positive p are items in [begins[p], ends[p]);
  const Index* ends;    // null: all items

  Index size() const noexcept { return static_cast<Index>(items.size()); }
  double weight(Index p) const noexcept { return weights == nullptr ? 1.0 : weights[p]; }
};

/// The items that are no negatives of a user, ascending: borrowed arrays (users + 1,) and (pairs,).
struct KnownItems {
  const Index* offsets;
  const std::int32_t* items;

  bool has(Index user, std::int32_t item) const noexcept {
    return std::binary_search(items + offsets[user], items + offsets[user + 1], item);
  }
};

/// A distribution over items by Walker's alias method, as Vose (1991) builds it: a uniform item
/// keeps its place with its probability, and gives it to its alias otherwise. Borrowed arrays
/// (items,); null: uniform.
struct AliasTable {
  const double* keep;
  const std::int32_t* alias;
  const double* probability;  // of each item
};

/// Draws negatives of one positive in one epoch. Draw number t depends on nothing but these three,
/// so it is the same on any number of threads.
template <class Real>
class Draws {
 public:
  static constexpr int attempts = 64;  // after which an item that is no known positive is given up

  Draws(const Positives<Real>& positives, Index items, const KnownItems& known,
        const AliasTable& table, std::uint64_t seed, Index epoch) noexcept
      : positives_(positives),
        items_(items),
        known_(known),
        table_(table),
        key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        epoch_(static_cast<std::uint32_t>(epoch)) {}

  Index begin(Index p) const noexcept {
    return positives_.begins == nullptr ? 0 : positives_.begins[p];
  }
  Index end(Index p) const noexcept {
    return positives_.ends == nullptr ? items_ : positives_.ends[p];
  }
  bool allows(Index p, std::int32_t item) const noexcept {
    return !known_.has(positives_.users[p], item);
  }

  /// A negative of positive p, or -1 if none was found.
  std::int32_t draw(Index p, Index number) const noexcept {
    const Index first = begin(p), size = end(p) - first;
    if (size <= 0) return -1;
    for (int attempt = 0; attempt < attempts; ++attempt) {
      const auto words =
          gibbs::philox({static_cast<std::uint32_t>(p), epoch_, static_cast<std::uint32_t>(number),
                         static_cast<std::uint32_t>(attempt)},
                        key_);
      const auto place = first + static_cast<Index>(below(words[0], words[1], size));
      auto item = static_cast<std::int32_t>(place);
      if (table_.keep != nullptr && uniform(words[2], words[3]) >= table_.keep[place]) {
        item = table_.alias[place];
      }
      if (allows(p, item)) return item;
    }
    return -1;
  }

  /// The probability of an item of positive p in one draw.
  double probability(Index p, std::int32_t item) const noexcept {
    if (table_.keep != nullptr) return table_.probability[item];
    return 1.0 / static_cast<double>(end(p) - begin(p));
  }

 private:
  static double uniform(std::uint32_t low, std::uint32_t high) noexcept {
    return static_cast<double>((std::uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
  }

  /// A number of {0, ..., size - 1}; for size < 2^31 all are as likely to within 2^-22.
  static std::uint64_t below(std::uint32_t low, std::uint32_t high, Index size) noexcept {
    return static_cast<std::uint64_t>(uniform(low, high) * static_cast<double>(size));
  }

  Positives<Real> positives_;
  Index items_;
  KnownItems known_;
  AliasTable table_;
  std::array<std::uint32_t, 2> key_;
  std::uint32_t epoch_;
};

}  // namespace sparsefm
