// One line of text as a row: `label [qid:n] index:value ...`, or `label field:index:value ...`.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "number.hpp"
#include "row_scratch.hpp"

namespace sparsefm {

/// What all lines of a text have in common.
struct TextForm {
  bool fields;        // each entry begins with the number of its field
  bool qid;           // each label is followed by the number of a query
  Index least, most;  // indices
};

/// A line that is no row. Positions are of bytes.
struct BadLine {
  Index line = 0;            // from 0 on, since the text begins
  Index column = 0;          // from 1 on: where the offending part begins
  Index begin = 0, end = 0;  // this part, in the text
  std::string why;
};

inline bool is_space(const char* p) noexcept { return *p == ' ' || *p == '\t'; }
/// A carriage return ends a line only together with the newline behind it.
inline bool ends_line(const char* p) noexcept {
  return *p == '\n' || *p == '#' || (*p == '\r' && p[1] == '\n');
}
inline bool ends_part(const char* p) noexcept { return is_space(p) || ends_line(p); }

template <class Real, bool with_fields>
class LineParser {
 public:
  LineParser(const char* text, const TextForm& form, RowScratch<Real>& scratch)
      : text_(text), form_(form), out_(scratch) {}

  /// Reads the line that begins at `p` and ends with a newline: as a row, as nothing if it is blank
  /// or a comment, or as a bad line.
  void read(const char* p, std::int32_t line) {
    const char* begin = p;
    const char* label = p = skip_spaces(p);
    const bool blank = ends_line(p);
    if (blank && check_comment(p)) return;
    first_ = entries;
    ascends_ = true;
    zeros_ = false;
    smallest_ = std::numeric_limits<Index>::max();
    largest_ = -1;
    p = blank ? nullptr : read_label(p);
    if (p != nullptr && read_entries(p) && ((ascends_ && !zeros_) || put_in_order(label))) {
      out_.lines[rows] = line;
      out_.counts[rows] = static_cast<std::int32_t>(entries - first_);
      smallest = std::min(smallest, smallest_);
      largest = std::max(largest, largest_);
      for (Index e = first_; e < entries; ++e) all_ones &= out_.values[e] == 1;
      ++rows;
      return;
    }
    entries = first_;
    if (bad++ == 0) {
      const char* end = offending_;
      while (!ends_part(end)) ++end;
      if (std::find(offending_, end, '\r') != end) {
        why_ = "a carriage return ends no line: a newline must follow it";
      }
      first_bad = {line, offending_ - begin + 1, offending_ - text_, end - text_, std::move(why_)};
    }
  }

  Index rows = 0, entries = 0, bad = 0;
  Index smallest = std::numeric_limits<Index>::max(), largest = -1;  // indices of the rows
  bool all_ones = true;
  std::optional<BadLine> first_bad;

 private:
  static const char* skip_spaces(const char* p) noexcept {
    while (is_space(p)) ++p;
    return p;
  }

  bool fail(const char* part, std::string why) {
    offending_ = part;
    why_ = std::move(why);
    return false;
  }

  /// Says why the part of a line, of which `p` should be a number, has none there.
  bool fail_number(const char* part, const char* p, const char* what) {
    if (*p == '+' || *p == '-') ++p;
    const auto lower = [](char c) { return static_cast<char>(c | 0x20); };
    const bool nan = lower(p[0]) == 'n' && lower(p[1]) == 'a' && lower(p[2]) == 'n';
    const bool infinite = !nan && lower(p[0]) == 'i' && lower(p[1]) == 'n' && lower(p[2]) == 'f';
    return fail(part, std::string(what) + (nan        ? " must not be NaN"
                                           : infinite ? " must not be infinite"
                                                      : " is not a number"));
  }

  template <class Type>
  bool fail_large(const char* part, const char* what) {
    const bool single = std::is_same_v<Type, float>;
    return fail(part, std::string(what) + (single ? " is too large for float32, not perhaps for "
                                                    "float64"
                                                  : " is too large for float64"));
  }

  /// Returns what follows the label and the query, or null.
  const char* read_label(const char* p) {
    const auto label = read_number<double>(p);
    if (label.end == p + (*p == '+') || !ends_part(label.end)) {
      fail_number(p, p, "the label");
      return nullptr;
    }
    if (label.too_large) {
      fail_large<double>(p, "the label");
      return nullptr;
    }
    out_.labels[rows] = label.value;
    p = skip_spaces(label.end);
    if (!form_.qid) return p;
    if (!is_query(p)) {
      fail(p, "the label must be followed by qid:n, as in the first row");
      return nullptr;
    }
    return read_query(p, out_.queries[rows]);
  }

  /// Returns what follows a query, or null.
  const char* read_query(const char* p, Index& query) {
    constexpr Index most = std::numeric_limits<Index>::max() - 1;
    const char* end = read_integer(p + 4, most, query = 0);
    if (end != p + 4 && query <= most && ends_part(end)) return end;
    fail(p, "the number of a query must be an integer from 0 to 2^63 - 2");
    return nullptr;
  }

  static bool is_query(const char* p) noexcept {
    return p[0] == 'q' && p[1] == 'i' && p[2] == 'd' && p[3] == ':';
  }

  bool read_entries(const char* p) {
    Index last = -1;
    for (p = skip_spaces(p); !ends_line(p); p = skip_spaces(p)) {
      const char* part = p;
      std::int32_t field = 0;
      if constexpr (with_fields) {
        Index number = 0;
        p = read_integer(p, std::numeric_limits<std::int32_t>::max() - 1, number);
        if (p == part || *p != ':') return fail_entry(part);
        if (number == std::numeric_limits<std::int32_t>::max()) {
          return fail(part, "a field must be less than 2^31 - 1");
        }
        field = static_cast<std::int32_t>(number);
        ++p;
      }
      Index index = 0;
      const char* digits = p;
      p = read_integer(p, std::numeric_limits<std::int32_t>::max(), index);
      if (p == digits) return fail_entry(part);
      if (index < form_.least || index > form_.most) {
        return fail(part, "an index must be from " + std::to_string(form_.least) + " to " +
                              std::to_string(form_.most));
      }
      Real value = 1;
      if (*p == ':') {
        ++p;
        if (*p == '1' && ends_part(p + 1)) {
          ++p;
        } else {
          const auto number = read_number<Real>(p);
          if (number.end == p + (*p == '+') || !(ends_part(number.end) || *number.end == ':')) {
            return fail_number(part, p, "the value");
          }
          if (number.too_large) return fail_large<Real>(part, "the value");
          value = number.value;
          p = number.end;
        }
      }
      if (!ends_part(p)) return fail_entry(part);
      zeros_ |= value == 0;
      ascends_ &= index > last;
      last = index;
      smallest_ = std::min(smallest_, index);
      largest_ = std::max(largest_, index);
      out_.features[entries] = static_cast<Feature>(index);
      out_.values[entries] = value;
      if constexpr (with_fields) out_.fields[entries] = field;
      ++entries;
    }
    return check_comment(p);
  }

  /// A file whose lines end with carriage returns alone would be one comment.
  bool check_comment(const char* p) {
    if (*p != '#') return true;
    for (; *p != '\n'; ++p) {
      if (*p == '\r' && p[1] != '\n') return fail(p, "");
    }
    return true;
  }

  bool fail_entry(const char* part) {
    if (is_query(part)) {
      Index query = 0;
      if (read_query(part, query) == nullptr) return false;
      return fail(part,
                  form_.qid ? "there are two qid" : "there is a qid, but not in the first row");
    }
    if (*part == '-') return fail(part, "an index must not be negative");
    return fail(part, with_fields ? "field:index:value is expected" : "index:value is expected");
  }

  /// Sorts the entries of the row, adds those of the same index, and drops zeros.
  bool put_in_order(const char* label) {
    sorted_.clear();
    for (Index e = first_; e < entries; ++e) {
      sorted_.push_back({out_.features[e], with_fields ? out_.fields[e] : 0, out_.values[e]});
    }
    std::stable_sort(sorted_.begin(), sorted_.end(),
                     [](const Entry& a, const Entry& b) { return a.feature < b.feature; });
    entries = first_;
    for (std::size_t s = 0; s < sorted_.size();) {
      Entry sum = sorted_[s];
      for (++s; s < sorted_.size() && sorted_[s].feature == sum.feature; ++s) {
        sum.value += sorted_[s].value;
        if (sorted_[s].field != sum.field) {
          return fail(label, "index " + std::to_string(sum.feature) + " is in two fields, " +
                                 std::to_string(sum.field) + " and " +
                                 std::to_string(sorted_[s].field));
        }
      }
      if (!std::isfinite(sum.value)) {
        return fail(label, "the sum of the values of index " + std::to_string(sum.feature) +
                               " is too large");
      }
      if (sum.value == 0) continue;
      out_.features[entries] = sum.feature;
      out_.values[entries] = sum.value;
      if constexpr (with_fields) out_.fields[entries] = sum.field;
      ++entries;
    }
    return true;
  }

  struct Entry {
    Feature feature;
    std::int32_t field;
    Real value;
  };

  const char* text_;
  const TextForm& form_;
  RowScratch<Real>& out_;
  std::vector<Entry> sorted_;

  // Of the line that is being read.
  Index first_ = 0;  // entry
  bool ascends_ = true, zeros_ = false;
  Index smallest_ = 0, largest_ = 0;
  const char* offending_ = nullptr;
  std::string why_;
};

}  // namespace sparsefm
