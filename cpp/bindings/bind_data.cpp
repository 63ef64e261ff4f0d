// The checked matrix and the plan.
#include "bind.hpp"
#include "plan.hpp"

namespace sparsefm {

void bind_data(const py::module_& m) {
  py::class_<Csr>(m, "Csr")
      .def(py::init<const py::object&, const py::object&, const py::object&, Index,
                    const std::string&>(),
           py::arg("indptr"), py::arg("indices"), py::arg("values"), py::arg("n_features"),
           py::arg("name"))
      .def_property_readonly("n_rows", &Csr::rows)
      .def_property_readonly("n_features", &Csr::features)
      .def_property_readonly("n_nonzeros", &Csr::nonzeros)
      .def("features_of", &Csr::features_of)
      .def_property_readonly("indptr", &Csr::indptr)
      .def_property_readonly("indices", &Csr::indices)
      .def_property_readonly("values", &Csr::values)
      .def_property_readonly("canonical", &Csr::canonical)
      .def_property_readonly("all_ones", &Csr::all_ones);

  py::class_<PlanHandle>(m, "Plan")
      .def(py::init<const Csr&, const py::object&, const py::object&, Index, const py::dtype&>(),
           py::arg("X"), py::arg("rows"), py::arg("weights"), py::arg("batch_size"),
           py::arg("dtype"))
      .def_property_readonly("n_batches", &PlanHandle::batches)
      .def_property_readonly("n_bytes", &PlanHandle::bytes)
      .def("transpose", &PlanHandle::transpose, py::arg("batches"), py::arg("threads"))
      .def("forget", &PlanHandle::forget, py::arg("batches"))
      .def("count_within", &PlanHandle::count_within, py::arg("batches"), py::arg("budget"));
}

}  // namespace sparsefm
