#include "parsed_text.hpp"

#include <cstring>

#include "../parallel.hpp"

namespace sparsefm {
namespace {

const char* newline_in(const char* begin, const char* end) noexcept {
  return static_cast<const char*>(std::memchr(begin, '\n', static_cast<std::size_t>(end - begin)));
}

/// Where the first line begins that begins in [begin, end), or `end`.
const char* first_line(std::string_view text, const char* begin, const char* end) noexcept {
  if (begin == text.data()) return begin;
  const char* newline = newline_in(begin - 1, end - 1);
  return newline == nullptr ? end : newline + 1;
}

template <bool with_fields, class Real>
TextChunk<Real> parse_lines(std::string_view text, const char* p, const char* end,
                            const TextForm& form, RowScratch<Real>& scratch) {
  const char* const begin = text.data();
  const char* const text_end = begin + text.size();
  if (p < end) {  // the last line may go on behind the chunk
    scratch.reserve(end - p, newline_in(end - 1, text_end) + 1 - p);
  }
  LineParser<Real, with_fields> parser(begin, form, scratch);
  std::int32_t line = 0;
  for (; p < end; ++line) {
    const char* newline = newline_in(p, text_end);
    parser.read(p, line);
    p = newline + 1;
  }
  TextChunk<Real> chunk;
  chunk.lines = line;
  chunk.bad = parser.bad;
  chunk.smallest = parser.smallest;
  chunk.largest = parser.largest;
  chunk.all_ones = parser.all_ones;
  chunk.first_bad = std::move(parser.first_bad);
  chunk.labels = scratch.labels.first(parser.rows);
  chunk.counts = scratch.counts.first(parser.rows);
  chunk.features = scratch.features.first(parser.entries);
  if (form.qid) chunk.queries = scratch.queries.first(parser.rows);
  if (!parser.all_ones) chunk.values = scratch.values.first(parser.entries);
  if (with_fields) {
    chunk.line_of = scratch.lines.first(parser.rows);
    chunk.fields = scratch.fields.first(parser.entries);
  }
  return chunk;
}

}  // namespace

template <class Real>
ParsedText<Real>::ParsedText(std::string_view text, const TextForm& form, Index chunk_size,
                             int threads) {
  const auto size = static_cast<Index>(text.size());
  const Index count = (size + chunk_size - 1) / chunk_size;
  chunks_.resize(static_cast<std::size_t>(count));
  with_team(team_size(threads, count, 8 * size), [&](Team& team) {
    std::vector<RowScratch<Real>> scratches(static_cast<std::size_t>(team.size()));
    team.for_each(count, [&](Index task, int member) {
      const char* begin = text.data() + task * chunk_size;
      const char* end = text.data() + std::min(size, (task + 1) * chunk_size);
      auto& scratch = scratches[static_cast<std::size_t>(member)];
      begin = first_line(text, begin, end);
      chunks_[static_cast<std::size_t>(task)] =
          form.fields ? parse_lines<true>(text, begin, end, form, scratch)
                      : parse_lines<false>(text, begin, end, form, scratch);
    });
  });
  for (const auto& chunk : chunks_) {
    if (chunk.first_bad && !first_bad_) {
      first_bad_ = chunk.first_bad;
      first_bad_->line += lines_;
    }
    lines_ += chunk.lines;
    bad_ += chunk.bad;
    rows_ += static_cast<Index>(chunk.labels.size());
    entries_ += static_cast<Index>(chunk.features.size());
    smallest_ = std::min(smallest_, chunk.smallest);
    largest_ = std::max(largest_, chunk.largest);
    all_ones_ = all_ones_ && chunk.all_ones;
  }
}

template <class Real>
Index ParsedText<Real>::bytes() const noexcept {
  std::size_t total = 0;
  const auto add = [&](const auto& array) { total += array.size() * sizeof(array[0]); };
  for (const auto& chunk : chunks_) {
    add(chunk.labels);
    add(chunk.queries);
    add(chunk.line_of);
    add(chunk.counts);
    add(chunk.features);
    add(chunk.fields);
    add(chunk.values);
  }
  return static_cast<Index>(total);
}

template <class Real>
void ParsedText<Real>::copy_to(const RowArrays<Real>& arrays, Index entry, Feature base,
                               int threads) const {
  struct Place {
    Index row, entry;
  };
  std::vector<Place> places{{0, 0}};
  for (const auto& chunk : chunks_) {
    places.push_back({places.back().row + static_cast<Index>(chunk.labels.size()),
                      places.back().entry + static_cast<Index>(chunk.features.size())});
  }
  const auto count = static_cast<Index>(chunks_.size());
  with_team(team_size(threads, count, entries_), [&](Team& team) {
    team.for_each(count, [&](Index task, int) {
      const auto& chunk = chunks_[static_cast<std::size_t>(task)];
      const auto place = places[static_cast<std::size_t>(task)];
      std::copy(chunk.labels.begin(), chunk.labels.end(), arrays.labels + place.row);
      if (arrays.queries != nullptr) {
        std::copy(chunk.queries.begin(), chunk.queries.end(), arrays.queries + place.row);
      }
      Index end = entry + place.entry;
      std::transform(chunk.counts.begin(), chunk.counts.end(), arrays.ends + place.row,
                     [&end](Index entries) { return end += entries; });
      std::transform(chunk.features.begin(), chunk.features.end(), arrays.features + place.entry,
                     [base](Feature index) { return index - base; });
      if (arrays.values == nullptr) return;
      if (chunk.all_ones) {
        std::fill_n(arrays.values + place.entry, chunk.features.size(), Real{1});
      } else {
        std::copy(chunk.values.begin(), chunk.values.end(), arrays.values + place.entry);
      }
    });
  });
}

template <class Real>
std::optional<FieldConflict> ParsedText<Real>::merge_fields(std::int32_t* field_of) const noexcept {
  Index lines = 0;
  for (const auto& chunk : chunks_) {
    std::size_t entry = 0;
    for (std::size_t row = 0; row < chunk.line_of.size(); ++row) {
      for (auto left = chunk.counts[row]; left > 0; --left, ++entry) {
        const Feature index = chunk.features[entry];
        const auto field = chunk.fields[entry];
        if (field_of[index] < 0) field_of[index] = field;
        if (field_of[index] == field) continue;
        return FieldConflict{lines + chunk.line_of[row], index, field_of[index], field};
      }
    }
    lines += chunk.lines;
  }
  return std::nullopt;
}

template class ParsedText<float>;
template class ParsedText<double>;

}  // namespace sparsefm
