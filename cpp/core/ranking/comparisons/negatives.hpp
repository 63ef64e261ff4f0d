// How negatives are drawn: items that are compared with the item of a positive.
#pragma once

#include <array>
#include <cmath>
#include <span>

#include "../../solvers/gibbs/philox.hpp"
#include "../../types.hpp"

namespace sparsefm::comparisons {

/// The pairs to learn from: a user had item i in context c, with a weight. Borrowed arrays
/// (positives,).
template <class Real>
struct Positives {
  std::span<const std::int32_t> contexts;
  std::span<const std::int32_t> users;
  std::span<const std::int32_t> items;
  const Real* weights = nullptr;  // null: all one
  const Index* begins = nullptr;  // negatives of positive p are items in [begins[p], ends[p]);
  const Index* ends = nullptr;    // null: all items

  Index size() const noexcept { return static_cast<Index>(items.size()); }
  double weight(Index p) const noexcept { return weights == nullptr ? 1.0 : weights[p]; }
};

/// The items that are no negatives of a user, ascending: borrowed arrays (users + 1,) and (pairs,).
struct KnownItems {
  const Index* offsets;
  const std::int32_t* items;

  std::span<const std::int32_t> of(Index user) const noexcept {
    return {items + offsets[user], static_cast<std::size_t>(offsets[user + 1] - offsets[user])};
  }

  bool has(Index user, std::int32_t item) const noexcept {
    const std::int32_t* first = of(user).data();
    auto size = static_cast<Index>(of(user).size());
    if (size == 0) return false;
    while (size > 1) {  // without branches, which nobody could predict
      const Index half = size / 2;
      first += first[half] <= item ? half : 0;
      size -= half;
    }
    return *first == item;
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

/// Which items a positive can be compared with, in one epoch.
template <class Real>
class Draws {
 public:
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
  std::span<const std::int32_t> known(Index p) const noexcept {
    return known_.of(positives_.users[p]);
  }
  const AliasTable& table() const noexcept { return table_; }

  /// Words number 4 `block`, ... of the random numbers of positive p. They depend on nothing else
  /// but seed and epoch, so they are the same on any number of threads.
  std::array<std::uint32_t, 4> words(Index p, std::uint32_t block) const noexcept {
    return gibbs::philox({static_cast<std::uint32_t>(p), epoch_, block, 0}, key_);
  }

 private:
  Positives<Real> positives_;
  Index items_;
  KnownItems known_;
  AliasTable table_;
  std::array<std::uint32_t, 2> key_;
  std::uint32_t epoch_;
};

/// The negatives of one positive, one after another. A draw takes two random words.
template <class Real>
class NegativesOf {
 public:
  static constexpr int attempts = 64;  // after which an item that is no known positive is given up

  NegativesOf(const Draws<Real>& draws, Index p) noexcept
      : draws_(draws), p_(p), first_(draws.begin(p)), size_(draws.end(p) - first_) {}

  /// How many items are negatives. The known ones of a range, if there are any, are in it.
  Index count() const noexcept { return size_ - std::ssize(draws_.known(p_)); }

  /// The next negative, or -1 if none was found. All items of a range of n are as likely, to within
  /// n / 2^32 of their probability.
  std::int32_t next() noexcept {
    if (size_ <= 0) return -1;
    const auto& table = draws_.table();
    for (int attempt = 0; attempt < attempts; ++attempt) {
      if (used_ == 4) {
        words_ = draws_.words(p_, block_++);
        used_ = 0;
      }
      const std::uint32_t word = words_[used_], other = words_[used_ + 1];
      used_ += 2;
      const Index place =
          first_ +
          static_cast<Index>((std::uint64_t{word} * static_cast<std::uint64_t>(size_)) >> 32);
      auto item = static_cast<std::int32_t>(place);
      if (table.keep != nullptr && other * 0x1p-32 >= table.keep[place]) item = table.alias[place];
      if (draws_.allows(p_, item)) return item;
    }
    return -1;
  }

  /// The probability of all negatives together in an attempt: what is known is drawn again.
  double probability_of_all() const noexcept {
    const auto& table = draws_.table();
    if (table.keep == nullptr) return static_cast<double>(count()) / static_cast<double>(size_);
    double known = 0;
    for (const auto item : draws_.known(p_)) known += table.probability[item];
    return 1 - known;
  }

  /// The probability of an item in an attempt.
  double probability(std::int32_t item) const noexcept {
    const auto& table = draws_.table();
    return table.keep == nullptr ? 1 / static_cast<double>(size_) : table.probability[item];
  }

 private:
  const Draws<Real>& draws_;
  Index p_, first_, size_;
  std::array<std::uint32_t, 4> words_{};
  std::size_t used_ = 4;
  std::uint32_t block_ = 0;
};

}  // namespace sparsefm::comparisons
