// Where the rows of a text are written while it is read.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "../types.hpp"

namespace sparsefm {

/// Room for an array that is written from the front; it grows, and is used again.
template <class T>
class Room {
 public:
  void reserve(std::size_t size) {
    if (size <= size_) return;
    size_ = 0;
    data_.reset(new T[size]);  // not set to zero
    size_ = size;
  }
  T& operator[](Index place) noexcept { return data_[static_cast<std::size_t>(place)]; }
  std::vector<T> first(Index size) const { return {data_.get(), data_.get() + size}; }

 private:
  std::size_t size_ = 0;
  std::unique_ptr<T[]> data_;
};

template <class Real>
struct RowScratch {
  /// Has room for the rows that begin in some bytes of text, and their entries in perhaps more.
  void reserve(Index bytes_of_rows, Index bytes) {
    const auto rows = static_cast<std::size_t>(bytes_of_rows / 2 + 1);  // the least is "1\n"
    const auto entries = static_cast<std::size_t>(bytes / 2 + 1);       // the least is " 1"
    labels.reserve(rows);
    queries.reserve(rows);
    lines.reserve(rows);
    counts.reserve(rows);
    features.reserve(entries);
    fields.reserve(entries);
    values.reserve(entries);
  }

  Room<double> labels;
  Room<Index> queries;
  Room<std::int32_t> lines, counts;
  Room<Feature> features;
  Room<std::int32_t> fields;
  Room<Real> values;
};

}  // namespace sparsefm
