// A batch, transposed to feature -> rows. The forward pass goes through rows, the gradient goes
// through features. So each parameter has one writer and each sum a fixed order.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "csr_view.hpp"

namespace sparsefm {

/// The rows of a batch in which one feature occurs: `size` pairs (row, value), rows ascending.
template <class Values>
struct Occurrences {
  const std::int32_t* rows;
  Values values;
  Index size;
};

/// Part of the occurrences of one feature.
struct Piece {
  std::int32_t feature;  // its position in the batch
  Index begin, end;      // within all occurrences
};

template <class Real>
struct Batch {
  static constexpr Index piece_size = 256;  // occurrences

  std::vector<Feature> features;   // the distinct features, in order of first appearance
  std::vector<Index> starts;       // (features + 1): where the occurrences of each begin
  std::vector<std::int32_t> rows;  // (non-zeros): row within the batch
  std::vector<Real> values;        // (non-zeros); empty if all are one
  std::vector<Piece> pieces;       // of the features with more than piece_size occurrences

  /// Memory in use.
  Index bytes() const noexcept {
    const auto of = [](const auto& part) { return part.capacity() * sizeof(part[0]); };
    return static_cast<Index>(of(features) + of(starts) + of(rows) + of(values) + of(pieces));
  }

  Index size() const noexcept { return static_cast<Index>(features.size()); }

  template <class Values>
  Occurrences<Values> occurrences(Index j) const noexcept {
    return occurrences_between<Values>(starts[j], starts[j + 1]);
  }

  template <class Values>
  Occurrences<Values> occurrences(const Piece& piece) const noexcept {
    return occurrences_between<Values>(piece.begin, piece.end);
  }

  /// The range in `pieces` of feature j; empty if the feature is not cut.
  std::pair<Index, Index> pieces_of(Index j) const noexcept {
    const Index size = starts[j + 1] - starts[j];
    if (size <= piece_size) return {0, 0};
    const auto first =
        std::lower_bound(pieces.begin(), pieces.end(), j,
                         [](const Piece& piece, Index feature) { return piece.feature < feature; });
    const Index q = first - pieces.begin();
    return {q, q + (size + piece_size - 1) / piece_size};
  }

  /// Cuts frequent features into pieces.
  void cut() {
    for (Index j = 0; j < size(); ++j) {
      if (starts[j + 1] - starts[j] <= piece_size) continue;
      for (Index begin = starts[j]; begin < starts[j + 1]; begin += piece_size) {
        pieces.push_back(
            {static_cast<std::int32_t>(j), begin, std::min(begin + piece_size, starts[j + 1])});
      }
    }
  }

 private:
  template <class Values>
  Occurrences<Values> occurrences_between(Index begin, Index end) const noexcept {
    Values x{};
    if constexpr (std::is_pointer_v<Values>) x = values.data();
    return {rows.data() + begin, x + begin, end - begin};
  }
};

/// For each feature its position in the batch being transposed, or none. Entries are cleared after
/// each use, so the cost of a batch depends on its non-zeros, not on the number of features. The
/// system provides pages of zeros only where they are touched, so making the table is cheap too.
class Slots {
 public:
  explicit Slots(Index features)
      : slots_(static_cast<std::int32_t*>(
            std::calloc(std::max<Index>(features, 1), sizeof(std::int32_t)))) {
    if (slots_ == nullptr) throw std::bad_alloc();
  }

  bool has(Feature i) const noexcept { return slots_.get()[i] != 0; }
  std::int32_t operator[](Feature i) const noexcept { return slots_.get()[i] - 1; }
  void set(Feature i, std::int32_t position) noexcept { slots_.get()[i] = position + 1; }
  void clear(Feature i) noexcept { slots_.get()[i] = 0; }

  template <class Values>
  void prefetch(const CsrRow<Values>& row) const noexcept {
    for (Index p = 0; p < row.size; ++p) sparsefm::prefetch(slots_.get() + row.features[p]);
  }

 private:
  struct Free {
    void operator()(std::int32_t* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<std::int32_t, Free> slots_;
};

/// Transposes rows[0], ..., rows[size - 1] of X in two linear passes.
template <class Real, class Values>
Batch<Real> transpose(const CsrView<Values>& X, const Index* rows, Index size, Slots& slots) {
  Batch<Real> batch;
  batch.starts.push_back(0);
  for (Index r = 0; r < size; ++r) {
    if (r + 1 < size) slots.prefetch(X.row(rows[r + 1]));
    const auto row = X.row(rows[r]);
    for (Index p = 0; p < row.size; ++p) {
      const Feature i = row.features[p];
      if (!slots.has(i)) {
        slots.set(i, static_cast<std::int32_t>(batch.features.size()));
        batch.features.push_back(i);
        batch.starts.push_back(0);
      }
      ++batch.starts[slots[i] + 1];  // counts now, starts below
    }
  }
  batch.features.shrink_to_fit();
  batch.starts.shrink_to_fit();
  for (Index j = 0; j < batch.size(); ++j) batch.starts[j + 1] += batch.starts[j];

  batch.rows.resize(batch.starts.back());
  if constexpr (std::is_pointer_v<Values>) batch.values.resize(batch.starts.back());
  std::vector<Index> ends(batch.starts.begin(), batch.starts.end() - 1);
  for (Index r = 0; r < size; ++r) {
    const auto row = X.row(rows[r]);
    for (Index p = 0; p < row.size; ++p) {
      const Index at = ends[slots[row.features[p]]]++;
      batch.rows[at] = static_cast<std::int32_t>(r);
      if constexpr (std::is_pointer_v<Values>) batch.values[at] = row.values[p];
    }
  }
  for (const Feature i : batch.features) slots.clear(i);
  batch.cut();
  return batch;
}

}  // namespace sparsefm
