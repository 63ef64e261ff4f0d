// Random numbers from a counter: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", 2011). A number depends on what it is for and not on what was drawn
// before it, so it is the same on any number of threads.
#pragma once

#include <array>
#include <cstdint>

#include "../../types.hpp"

namespace sparsefm::gibbs {

using Word = std::uint32_t;

/// Four random words from a counter and a key.
inline std::array<Word, 4> philox(std::array<Word, 4> counter, std::array<Word, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t q = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<Word>(q >> 32) ^ counter[1] ^ key[0], static_cast<Word>(q),
               static_cast<Word>(p >> 32) ^ counter[3] ^ key[1], static_cast<Word>(p)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// What random numbers are for: each stage of a sweep has its own.
enum class Stage : std::uint8_t { latent = 1, noise, bias, hyperparameters, features, cuts };

/// Two independent numbers, from one block of four words.
struct Pair {
  double a, b;
};

/// The random numbers of one stage of one sweep of a chain. They belong to an `item`, such as a
/// feature, and each item has any number of parts.
class Randoms {
 public:
  Randoms(std::uint64_t seed, Word chain, Index sweep, Stage stage) noexcept
      : key_{static_cast<Word>(seed), static_cast<Word>(seed >> 32)},
        sweep_(static_cast<Word>(sweep)),
        stage_(static_cast<Word>(stage) | chain << 8) {}

  /// Uniform in (0, 1).
  Pair uniforms(Index item, Word part) const noexcept {
    const auto w = philox({static_cast<Word>(item), part, sweep_, stage_}, key_);
    return {uniform(w[0], w[1]), uniform(w[2], w[3])};
  }

 private:
  static double uniform(Word low, Word high) noexcept {
    const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 11;
    return static_cast<double>(bits) * 0x1p-53 + 0x1p-54;
  }

  std::array<Word, 2> key_;
  Word sweep_, stage_;
};

}  // namespace sparsefm::gibbs
