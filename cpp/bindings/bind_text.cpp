// Rows that are written as text.
#include <variant>

#include "../core/text/parsed_text.hpp"
#include "arrays.hpp"
#include "bind.hpp"

namespace sparsefm {
namespace {

/// The rows of a text, with values of either type.
class TextHandle {
 public:
  TextHandle(const py::object& text, const py::dtype& real, bool fields, bool qid, Index least,
             Index most, int threads, Index chunk)
      : qid_(qid), text_(parse(text, real, {fields, qid, least, most}, threads, chunk)) {}

  /// What `question` says of the text.
  template <class Question>
  auto ask(const Question& question) const {
    return std::visit(question, text_);
  }

  py::object first_bad() const {
    const auto& bad = std::visit(
        [](const auto& text) -> const std::optional<BadLine>& { return text.first_bad(); }, text_);
    if (!bad) return py::none();
    return py::make_tuple(bad->line, bad->column, bad->begin, bad->end, bad->why);
  }

  void copy_to(Index row, Index entry, Index base, const py::object& labels,
               const py::object& indptr, const py::object& indices, const py::object& values,
               const py::object& queries, int threads) const {
    const Index rows = as_array<double>(labels, "labels").size();
    const Index entries = as_array<Feature>(indices, "indices").size();
    auto* label = output<double>(labels, {rows}, "labels");
    auto* offsets = output<Index>(indptr, {rows + 1}, "indptr");
    auto* features = output<Feature>(indices, {entries}, "indices");
    require(qid_ == !queries.is_none(), "queries are missing, or there are none");
    auto* query = qid_ ? output<Index>(queries, {rows}, "queries") : nullptr;
    require(threads >= 1, "threads must be at least 1");
    std::visit(
        [&]<class Real>(const ParsedText<Real>& text) {
          require(0 <= row && row <= rows - text.rows() && 0 <= entry &&
                      entry <= entries - text.entries(),
                  "there are more rows or entries than the arrays have room for");
          require(0 <= base && (text.largest() < 0 || base <= text.smallest()),
                  "an index would be negative");
          require(!values.is_none() || text.all_ones(), "values are missing");
          auto* value =
              values.is_none() ? nullptr : output<Real>(values, {entries}, "values") + entry;
          const RowArrays<Real> arrays{label + row, offsets + row + 1, features + entry, value,
                                       qid_ ? query + row : nullptr};
          const ReleasedGil released;
          text.copy_to(arrays, entry, static_cast<Feature>(base), threads);
        },
        text_);
  }

  py::object merge_fields(const py::object& field_of) const {
    const Index size = as_array<std::int32_t>(field_of, "field_of").size();
    auto* fields = output<std::int32_t>(field_of, {size}, "field_of");
    const auto conflict = std::visit(
        [&](const auto& text) {
          require(text.largest() < size, "field_of is shorter than indices are large");
          const ReleasedGil released;
          return text.merge_fields(fields);
        },
        text_);
    if (!conflict) return py::none();
    return py::make_tuple(conflict->line, conflict->index, conflict->before, conflict->now);
  }

 private:
  using Texts = std::variant<ParsedText<float>, ParsedText<double>>;

  static Texts parse(const py::object& text, const py::dtype& real, const TextForm& form,
                     int threads, Index chunk) {
    const Index size = as_array<std::uint8_t>(text, "text").size();
    const auto* bytes = reinterpret_cast<const char*>(input<std::uint8_t>(text, {size}, "text"));
    require(size == 0 || bytes[size - 1] == '\n', "text must end with a newline");
    require(size <= Index{1} << 32, "text may have 2^32 bytes");  // entries are counted in int32
    require(0 <= form.least && form.least <= form.most && form.most <= max_int32,
            "indices must be int32");
    require(threads >= 1 && chunk >= 1, "threads and chunk must be at least 1");
    const bool single = real.equal(py::dtype::of<float>());
    require(single || real.equal(py::dtype::of<double>()), "a text is of float32 or float64");
    const std::string_view view(bytes, static_cast<std::size_t>(size));
    const ReleasedGil released;
    if (single) return ParsedText<float>(view, form, chunk, threads);
    return ParsedText<double>(view, form, chunk, threads);
  }

  bool qid_;
  Texts text_;
};

/// A property of either type of text, such as the number of its rows.
template <class Question>
auto property(const Question& question) {
  return [question](const TextHandle& handle) { return handle.ask(question); };
}

}  // namespace

void bind_text(const py::module_& m) {
  py::class_<TextHandle>(m, "Text")
      .def(py::init<const py::object&, const py::dtype&, bool, bool, Index, Index, int, Index>(),
           py::arg("text"), py::arg("dtype"), py::arg("fields"), py::arg("qid"), py::arg("least"),
           py::arg("most"), py::arg("threads"), py::arg("chunk") = Index{1} << 18)
      .def_property_readonly("n_lines", property([](const auto& t) { return t.lines(); }))
      .def_property_readonly("n_rows", property([](const auto& t) { return t.rows(); }))
      .def_property_readonly("n_entries", property([](const auto& t) { return t.entries(); }))
      .def_property_readonly("n_bad", property([](const auto& t) { return t.bad(); }))
      .def_property_readonly("n_bytes", property([](const auto& t) { return t.bytes(); }))
      .def_property_readonly("all_ones", property([](const auto& t) { return t.all_ones(); }))
      .def_property_readonly("smallest", property([](const auto& t) { return t.smallest(); }))
      .def_property_readonly("largest", property([](const auto& t) { return t.largest(); }))
      .def_property_readonly("first_bad", &TextHandle::first_bad)
      .def("copy_to", &TextHandle::copy_to, py::arg("row"), py::arg("entry"), py::arg("base"),
           py::arg("labels"), py::arg("indptr"), py::arg("indices"), py::arg("values"),
           py::arg("queries"), py::arg("threads"))
      .def("merge_fields", &TextHandle::merge_fields, py::arg("field_of"));
}

}  // namespace sparsefm
