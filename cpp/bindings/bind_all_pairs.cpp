// Squared loss over all pairs of contexts and items.
#include "../core/ranking/all_pairs/all_pairs.hpp"
#include "bind.hpp"
#include "csr.hpp"
#include "sides.hpp"

namespace sparsefm {
namespace {

template <class Real>
void check_positives(const MatrixView<Real>& positives) {
  if (const auto* weighted = std::get_if<CsrView<const Real*>>(&positives)) {
    require(std::all_of(weighted->values, weighted->values + weighted->nonzeros(),
                        [](Real weight) { return weight > 0; }),
            "positives holds a negative weight");
  }
}

/// The arrays that it changes, for either type of arithmetic.
class AllPairsHandle {
 public:
  AllPairsHandle(const Csr& contexts, const Csr& items, const Csr& positives,
                 const py::object& penalties, double alpha, const py::object& w0,
                 const py::object& w, const py::object& V)
      : alive_{py::cast(contexts), py::cast(items), py::cast(positives), penalties, w0, w, V} {
    const Index features = contexts.features();
    require(items.features() == features,
            "contexts and items must have the same number of columns");
    require(contexts.rows() <= max_int32 && items.rows() <= max_int32 && features < max_int32,
            "there are at most 2^31 - 1 contexts and items, and fewer features");
    require(positives.rows() == contexts.rows() && positives.features() == items.rows(),
            "positives must have a row for each context, and a column for each item");
    require(std::isfinite(alpha) && alpha >= 0, "alpha must be finite and not negative");
    const auto* lambda = input<double>(penalties, {features}, "penalties");
    require(all_finite(lambda, features) &&
                std::all_of(lambda, lambda + features, [](double one) { return one >= 0; }),
            "penalties must be finite and not negative");
    for_real(V, [&]<class Real> {
      const auto factors = as_array<Real>(V, "V");
      require(factors.ndim() == 2, "V must have shape (n_features, rank)");
      const Index rank = factors.shape(1);
      const all_pairs::AllPairsView<Real> view{output<Real>(w0, {1}, "w0"),
                                               output<Real>(w, {features}, "w"),
                                               output<Real>(V, {features, rank}, "V"),
                                               lambda,
                                               features,
                                               rank,
                                               alpha};
      const auto of_contexts = contexts.view<Real>(), of_items = items.view<Real>(),
                 weights = positives.view<Real>();
      const ReleasedGil released;
      check_positives(weights);
      check_apart(of_contexts, of_items);
      solver_ = all_pairs::make_all_pairs<Real>(of_contexts, of_items, weights, view);
    });
  }

  double epoch(int threads) {
    require(threads >= 1, "threads must be at least 1");
    const ReleasedGil released;
    return std::visit([&](auto& solver) { return solver->epoch(threads); }, solver_);
  }

  double objective(int threads) {
    require(threads >= 1, "threads must be at least 1");
    const ReleasedGil released;
    return std::visit([&](auto& solver) { return solver->objective(threads); }, solver_);
  }

 private:
  std::vector<py::object> alive_;
  std::variant<std::unique_ptr<all_pairs::AllPairs<float>>,
               std::unique_ptr<all_pairs::AllPairs<double>>>
      solver_;
};

}  // namespace

void bind_all_pairs(const py::module_& m) {
  py::class_<AllPairsHandle>(m, "AllPairs")
      .def(py::init<const Csr&, const Csr&, const Csr&, const py::object&, double,
                    const py::object&, const py::object&, const py::object&>(),
           py::arg("contexts"), py::arg("items"), py::arg("positives"), py::arg("penalties"),
           py::arg("alpha"), py::arg("w0"), py::arg("w"), py::arg("V"))
      .def("epoch", &AllPairsHandle::epoch, py::arg("threads"))
      .def("objective", &AllPairsHandle::objective, py::arg("threads"));
}

}  // namespace sparsefm
