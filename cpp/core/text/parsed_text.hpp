// The rows of a text, read by several threads.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "line_parser.hpp"

namespace sparsefm {

/// The rows of the lines that begin in one chunk of the text.
template <class Real>
struct TextChunk {
  Index lines = 0, bad = 0;
  Index smallest = std::numeric_limits<Index>::max(), largest = -1;
  bool all_ones = true;
  std::optional<BadLine> first_bad;
  std::vector<double> labels;
  std::vector<Index> queries;
  std::vector<std::int32_t> line_of;  // of each row, if there are fields
  std::vector<std::int32_t> counts;   // entries of each row
  std::vector<Feature> features;
  std::vector<std::int32_t> fields;
  std::vector<Real> values;  // none if all are one
};

/// Arrays that rows are copied to. Those of queries and values may be null.
template <class Real>
struct RowArrays {
  double* labels;
  Index* ends;  // where each row ends among the entries of all texts
  Feature* features;
  Real* values;
  Index* queries;
};

/// An index with two fields.
struct FieldConflict {
  Index line;
  Feature index;
  std::int32_t before, now;
};

/// The rows of a text that ends with a newline, as a pure function of its bytes and its form. The
/// text is not needed afterwards.
template <class Real>
class ParsedText {
 public:
  /// Threads take chunks of so many bytes; the rows do not depend on them.
  ParsedText(std::string_view text, const TextForm& form, Index chunk_size, int threads);

  Index lines() const noexcept { return lines_; }
  Index rows() const noexcept { return rows_; }
  Index entries() const noexcept { return entries_; }
  Index bad() const noexcept { return bad_; }
  bool all_ones() const noexcept { return all_ones_; }
  Index bytes() const noexcept;

  /// The least and the largest index of a row; the largest is -1 if there is none.
  Index smallest() const noexcept { return smallest_; }
  Index largest() const noexcept { return largest_; }

  const std::optional<BadLine>& first_bad() const noexcept { return first_bad_; }

  /// Copies the rows; their first entry has the number `entry`, and `base` is the first index.
  void copy_to(const RowArrays<Real>& arrays, Index entry, Feature base, int threads) const;

  /// Writes the field of each index to `field_of`, which has room for all of them, and -1 where no
  /// field is known yet; returns the first entry whose field is not what it was before.
  std::optional<FieldConflict> merge_fields(std::int32_t* field_of) const noexcept;

 private:
  std::vector<TextChunk<Real>> chunks_;
  Index lines_ = 0, rows_ = 0, entries_ = 0, bad_ = 0;
  Index smallest_ = std::numeric_limits<Index>::max(), largest_ = -1;
  bool all_ones_ = true;
  std::optional<BadLine> first_bad_;
};

extern template class ParsedText<float>;
extern template class ParsedText<double>;

}  // namespace sparsefm
