// The checked matrix, what its fields depend on, and the plan.
#include <pybind11/stl.h>

#include "../core/data/dependence.hpp"
#include "bind.hpp"
#include "plan.hpp"

namespace sparsefm {
namespace {

/// What is left of the budget; and of each row its entity, of each entity its first row, and of
/// each field whether it depends on the entity, or None: see `dependence_on`.
py::tuple dependence(std::int32_t key, const Csr& X, const py::object& fields,
                     const py::object& entries, Index least, Index budget) {
  const Index features = X.features(), number = as_array<Index>(entries, "entries").size();
  const auto* field = input<std::int32_t>(fields, {features}, "fields");
  const auto* counts = input<Index>(entries, {number}, "entries");
  require(X.rows() <= max_int32, "a sampler takes at most 2^31 - 1 rows");
  require(0 <= key && key < number &&
              std::all_of(
                  field, field + features, [&](auto f) { return 0 <= f && f < number; }),
          "a field is out of range");
  const auto find = [&](const auto& view) {
    const ReleasedGil released;
    return dependence_on(key, view, std::span(field, static_cast<std::size_t>(features)),
                         std::span(counts, static_cast<std::size_t>(number)), least, budget);
  };
  const bool wide = py::isinstance<Array<double>>(X.values()) && !X.all_ones();
  const auto found = wide           ? find(std::get<CsrView<const double*>>(X.view<double>()))
                     : X.all_ones() ? find(std::get<CsrView<Ones<float>>>(X.view<float>()))
                                    : find(std::get<CsrView<const float*>>(X.view<float>()));
  if (!found) return py::make_tuple(budget, py::none());
  const auto array = [](const auto& numbers) {
    return Array<typename std::decay_t<decltype(numbers)>::value_type>(
        static_cast<py::ssize_t>(numbers.size()), numbers.data());
  };
  return py::make_tuple(
      budget, py::make_tuple(array(found->entities), array(found->first), array(found->depends)));
}

}  // namespace

void bind_data(py::module_& m) {
  py::class_<Csr>(m, "Csr")
      .def(py::init<const py::object&, const py::object&, const py::object&, Index,
                    const std::string&, std::optional<bool>>(),
           py::arg("indptr"), py::arg("indices"), py::arg("values"), py::arg("n_features"),
           py::arg("name"), py::arg("all_ones") = py::none())
      .def_property_readonly("n_rows", &Csr::rows)
      .def_property_readonly("n_features", &Csr::features)
      .def_property_readonly("n_nonzeros", &Csr::nonzeros)
      .def("features_of", &Csr::features_of)
      .def_property_readonly("indptr", &Csr::indptr)
      .def_property_readonly("indices", &Csr::indices)
      .def_property_readonly("values", &Csr::values)
      .def_property_readonly("canonical", &Csr::canonical)
      .def_property_readonly("all_ones", &Csr::all_ones);

  m.def("dependence", &dependence, py::arg("key"), py::arg("X"), py::arg("fields"),
        py::arg("entries"), py::arg("least"), py::arg("budget"));

  py::class_<PlanHandle>(m, "Plan")
      .def(py::init<const Csr&, const py::object&, const py::object&, Index, const py::dtype&>(),
           py::arg("X"), py::arg("rows"), py::arg("weights"), py::arg("batch_size"),
           py::arg("dtype"))
      .def_property_readonly("n_batches", &PlanHandle::batches)
      .def_property_readonly("n_bytes", &PlanHandle::bytes)
      .def("bytes_of", &PlanHandle::bytes_of, py::arg("batches"))
      .def("transpose", &PlanHandle::transpose, py::arg("batches"), py::arg("threads"))
      .def("forget", &PlanHandle::forget, py::arg("batches"))
      .def("count_within", &PlanHandle::count_within, py::arg("batches"), py::arg("budget"));
}

}  // namespace sparsefm
