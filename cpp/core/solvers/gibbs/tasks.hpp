// How a class of features is spread over threads. Rare features are drawn in batches. The rows of a
// frequent feature are cut into chunks, in one of two ways:
//
//   spread    chunks of so many rows, each a task
//   blocked   where the features of a class are few, and frequent on average: chunks at the same
//             rows for all features. A task has the rows of a block, for all features. It works
//             within the cache, and can update the block for one class and gather it for the next
//             at once.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "columns.hpp"

namespace sparsefm::gibbs {

/// Neighbours in a list: [begin, end).
struct Range {
  Index begin, end;
};

/// Part of the occurrences of a frequent feature.
struct Chunk {
  Index feature;  // its position among the frequent ones
  Range occurrences;
};

class ClassTasks {
 public:
  static constexpr Index batch_size = 8;     // features, each in a lane of its own
  static constexpr Index block_rows = 8192;  // their q stay in a core's cache

  std::int32_t field;
  std::vector<Feature> rare, frequent;
  std::vector<Range> batches;    // of the rare features
  std::vector<Chunk> chunks;     // of the frequent features, one after the other
  std::vector<Range> chunks_of;  // of each frequent feature

  /// Where an occurrence of a feature is a row.
  template <class Real>
  ClassTasks(const Columns<Real>& columns, const FeatureClass& members) : field(members.field) {
    Index occurrences = 0;
    for (const Feature j : members.features) occurrences += columns.size(j);
    const auto features = static_cast<Index>(members.features.size());
    if (occurrences > frequent_size * features && features <= blocked_features) {
      blocks_ = (columns.rows + block_rows - 1) / block_rows;
      for (const Feature j : members.features) cut_by_rows(columns, j);
    } else {
      spread(columns, members, [&](Feature j) { return columns.size(j); });
    }
  }

  /// Where it is as much work as several rows: `rows_of(j)` those of all of them. There are no
  /// blocks, as the sums of as many entities would not stay in the cache.
  template <class Real, class RowsOf>
  ClassTasks(const Columns<Real>& columns, const FeatureClass& members, const RowsOf& rows_of)
      : field(members.field) {
    spread(columns, members, rows_of);
  }

  bool blocked() const noexcept { return blocks_ > 0; }
  Index tasks_of_chunks() const noexcept {
    return blocked() ? blocks_ : static_cast<Index>(chunks.size());
  }

  /// Calls `body(chunk)` with the number of each chunk of a task.
  template <class Body>
  void for_chunks(Index task, const Body& body) const {
    if (!blocked()) return body(task);
    for (Index chunk = task; std::cmp_less(chunk, chunks.size()); chunk += blocks_) {
      body(chunk);
    }
  }

 private:
  static constexpr Index frequent_size = 4096;   // rows; features with more are frequent
  static constexpr Index blocked_features = 64;  // more would have chunks of a few rows, and many
  static constexpr Index chunk_size = 2048;      // rows
  static constexpr Index batch_rows = 8192;      // likewise

  void add_chunks(Feature j, std::vector<Chunk> parts) {
    const auto first = static_cast<Index>(chunks.size());
    chunks.insert(chunks.end(), parts.begin(), parts.end());
    chunks_of.push_back({first, static_cast<Index>(chunks.size())});
    frequent.push_back(j);
  }

  template <class Real, class RowsOf>
  void spread(const Columns<Real>& columns, const FeatureClass& members, const RowsOf& rows_of) {
    for (const Feature j : members.features) {
      const Index rows = rows_of(j);
      if (rows > frequent_size) {
        cut(columns, j, rows);
      } else {
        add_to_batch(rows, j);
      }
    }
  }

  template <class Real>
  void cut(const Columns<Real>& columns, Feature j, Index rows) {
    std::vector<Chunk> parts;
    const Index end = columns.starts[j + 1];
    const Index size = std::max<Index>(1, chunk_size * columns.size(j) / rows);  // on average
    for (Index begin = columns.starts[j]; begin < end; begin += size) {
      parts.push_back({static_cast<Index>(frequent.size()), {begin, std::min(begin + size, end)}});
    }
    add_chunks(j, std::move(parts));
  }

  template <class Real>
  void cut_by_rows(const Columns<Real>& columns, Feature j) {
    std::vector<Chunk> parts;
    const auto* row = columns.row.data();
    Index end = columns.starts[j];
    for (Index block = 0; block < blocks_; ++block) {
      const Index begin = end;
      end = std::lower_bound(row + begin, row + columns.starts[j + 1], (block + 1) * block_rows) -
            row;
      parts.push_back({static_cast<Index>(frequent.size()), {begin, end}});
    }
    add_chunks(j, std::move(parts));
  }

  void add_to_batch(Index rows, Feature j) {
    const auto position = static_cast<Index>(rare.size());
    if (batches.empty() || position - batches.back().begin == batch_size ||
        rows_of_batch_ + rows > batch_rows) {
      batches.push_back({position, position});
      rows_of_batch_ = 0;
    }
    rare.push_back(j);
    batches.back().end = position + 1;
    rows_of_batch_ += rows;
  }

  Index blocks_ = 0;  // 0: not blocked
  Index rows_of_batch_ = 0;
};

}  // namespace sparsefm::gibbs
