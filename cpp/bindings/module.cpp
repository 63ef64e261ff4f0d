// The extension module: a handful of functions, the checked matrix and the training run.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "../core/layers.hpp"
#include "../core/losses.hpp"
#include "../core/parallel.hpp"
#include "../core/trainer.hpp"
#include "arrays.hpp"
#include "csr.hpp"

namespace sparsefm {
namespace {

constexpr Index max_int32 = std::numeric_limits<std::int32_t>::max();

/// Calls `body.operator()<Real>()` with the type of the array `like`.
template <class Body>
auto for_real(const py::object& like, const Body& body) {
  if (py::isinstance<Array<float>>(like)) return body.template operator()<float>();
  return body.template operator()<double>();
}

/// w and V may have gaps between features (columns of a larger array), V none between factors.
template <class Real>
ModelView<Real> model_view(Index features, double w0, const py::object& w, const py::object& V) {
  constexpr auto number = static_cast<Index>(sizeof(Real));
  require(py::isinstance<py::array_t<Real>>(w) && py::isinstance<py::array_t<Real>>(V),
          "w and V must be arrays of one type, float32 or float64");
  const auto linear = py::reinterpret_borrow<py::array_t<Real>>(w);
  const auto factors = py::reinterpret_borrow<py::array_t<Real>>(V);
  require(factors.ndim() == 2, "V must have shape (n_features, rank)");
  const Index rank = factors.shape(1);
  require_shape(linear, {features}, "w");
  require_shape(factors, {features, rank}, "V");
  require(linear.strides(0) % number == 0 && factors.strides(0) % number == 0 &&
              (rank <= 1 || factors.strides(1) == number),
          "w and V must be laid out by feature");
  return {static_cast<Real>(w0),
          linear.data(),
          factors.data(),
          linear.strides(0) / number,
          factors.strides(0) / number,
          features,
          rank};
}

void bind_layers(py::module_& m) {
  m.def("forward", [](const py::object& scores, const Csr& X, Index first, double w0,
                      const py::object& w, const py::object& V, int threads) {
    for_real(scores, [&]<class Real>() {
      const auto model = model_view<Real>(X.features(), w0, w, V);
      const auto view = X.view<Real>();
      const Index rows = as_array<Real>(scores, "scores").size();
      Real* out = output<Real>(scores, {rows}, "scores");
      require(0 <= first && first + rows <= X.rows(), "X has no such rows");
      const py::gil_scoped_release release;
      std::visit([&](const auto& x) { forward(out, x, first, rows, model, threads); }, view);
    });
  });

  m.def("backward",
        [](const Csr& X, const py::object& slopes, const py::object& w, const py::object& V,
           int threads) -> py::object {
          return for_real(V, [&]<class Real>() -> py::object {
            const auto model = model_view<Real>(X.features(), 0, w, V);
            const auto view = X.view<Real>();
            const Real* e = input<Real>(slopes, {X.rows()}, "slopes");
            require(X.rows() <= max_int32, "backward takes at most 2^31 - 1 rows at once");
            Array<Real> linear(X.features());
            Array<Real> factors({X.features(), model.rank});
            std::fill_n(linear.mutable_data(), linear.size(), Real{0});
            std::fill_n(factors.mutable_data(), factors.size(), Real{0});
            Real* dw = linear.mutable_data();
            Real* dV = factors.mutable_data();
            {
              const py::gil_scoped_release release;
              std::visit([&](const auto& x) { backward(dw, dV, x, e, model, threads); }, view);
            }
            return py::make_tuple(linear, factors);
          });
        });

  m.def("adam_update", [](const py::object& theta, const py::object& gradient,
                          const py::object& moment1, const py::object& moment2, Index t,
                          double learning_rate, double beta1, double beta2, double epsilon) {
    for_real(theta, [&]<class Real>() {
      const AdamSettings settings{beta1, beta2, epsilon, false};
      const AdamStep<Real> step(settings, adam_rate(settings, learning_rate, t));
      const Index size = as_array<Real>(theta, "theta").size();
      Real* values = output<Real>(theta, {size}, "theta");
      const Real* g = input<Real>(gradient, {size}, "grad");
      Real* m1 = output<Real>(moment1, {size}, "m");
      Real* m2 = output<Real>(moment2, {size}, "v");
      const py::gil_scoped_release release;
      adam_update(values, g, m1, m2, size, step);
    });
  });
}

template <class Real>
LossKernel<Real> loss_named(const std::string& name) {
  if (name == "squared") return loss_kernel<Squared, Real>();
  if (name == "logistic") return loss_kernel<Logistic, Real>();
  if (name == "hinge") return loss_kernel<Hinge, Real>();
  throw py::value_error("unknown loss '" + name + "'");
}

void bind_losses(py::module_& m) {
  const auto rowwise = [](const std::string& loss, const py::object& targets,
                          const py::object& scores, auto member) -> py::object {
    return for_real(scores, [&]<class Real>() -> py::object {
      const Index rows = as_array<Real>(scores, "scores").size();
      const Real* y = input<Real>(targets, {rows}, "targets");
      const Real* s = input<Real>(scores, {rows}, "scores");
      Array<Real> result(rows);
      member(loss_named<Real>(loss))(rows, y, s, result.mutable_data());
      return result;
    });
  };
  m.def("loss_values", [=](const std::string& loss, const py::object& y, const py::object& s) {
    return rowwise(loss, y, s, [](const auto& kernel) { return kernel.values; });
  });
  m.def("loss_slopes", [=](const std::string& loss, const py::object& y, const py::object& s) {
    return rowwise(loss, y, s, [](const auto& kernel) { return kernel.slopes; });
  });
}

OptimizerSettings optimizer_settings(const py::object& solver) {
  const auto name = solver.attr("name").cast<std::string>();
  if (name == "adagrad") return AdaGradSettings{};
  require(name == "adam", "unknown solver '" + name + "'");
  return AdamSettings{.beta1 = solver.attr("beta1").cast<double>(),
                      .beta2 = solver.attr("beta2").cast<double>(),
                      .epsilon = solver.attr("epsilon").cast<double>(),
                      .exact = solver.attr("updates").cast<std::string>() == "exact"};
}

/// A trainer and what it borrows.
class TrainingRun {
 public:
  TrainingRun(const Csr& X, const py::object& rows, const py::object& targets,
              const py::object& weights, Index batch_size, const std::string& loss,
              const py::object& bias, const py::object& scalars, const py::object& factors,
              const py::object& solver, int threads)
      : alive_{py::cast(X), rows, targets, weights, bias, scalars, factors} {
    const auto order = as_array<Index>(rows, "rows");
    const Index n = order.size();
    const Index* row = input<Index>(rows, {n}, "rows");
    const bool rows_exist =
        std::all_of(row, row + n, [&](Index r) { return r >= 0 && r < X.rows(); });
    require(rows_exist, "rows holds a row that X does not have");
    require(batch_size >= 1 && threads >= 1, "batch_size and threads must be at least 1");
    batches_ = (n + batch_size - 1) / batch_size;
    require(batch_size <= max_int32 && batches_ <= max_int32,
            "a batch may have 2^31 - 1 rows, and an epoch as many batches");
    for_real(factors, [&]<class Real>() {
      const Index features = X.features();
      const auto shape = as_array<Real>(factors, "factors");
      require(shape.ndim() == 3 && shape.shape(2) % 4 == 0,
              "factors must have shape (n_features, 1 + moments, a multiple of 4)");
      const Index width = shape.shape(2);
      const TrainingTask<Real> task{
          .X = X.view<Real>(),
          .rows = {row, static_cast<std::size_t>(n)},
          .targets = input<Real>(targets, {n}, "targets"),
          .weights = weights.is_none() ? nullptr : input<Real>(weights, {n}, "weights"),
          .loss = loss_named<Real>(loss),
          .batch_size = batch_size,
          .l2_linear = solver.attr("l2_linear").cast<Real>(),
          .l2_factors = solver.attr("l2_factors").cast<Real>(),
          .threads = threads,
      };
      const int moments = solver.attr("moments").cast<int>();
      const StateView<Real> state{output<Real>(bias, {1 + moments}, "bias"),
                                  output<Real>(scalars, {features, 2 + moments}, "scalars"),
                                  output<Real>(factors, {features, 1 + moments, width}, "factors"),
                                  features,
                                  width,
                                  moments};
      const auto settings = optimizer_settings(solver);
      const py::gil_scoped_release release;
      trainer_ = make_trainer(task, state, settings);
    });
  }

  Index batches() const noexcept { return batches_; }

  void plan(const py::object& batches) {
    const auto checked = batches_of(batches);
    const py::gil_scoped_release release;
    trainer_->plan(checked);
  }

  void forget(const py::object& batches) {
    const auto checked = batches_of(batches);
    steps_ = 0;
    const py::gil_scoped_release release;
    trainer_->forget(checked);
  }

  /// How many of the batches, from the first on, have plans that take no more than `budget` bytes
  /// together; at least one if the first has a plan.
  Index count_planned(const py::object& batches, Index budget) const {
    Index count = 0, bytes = 0;
    for (const Index b : batches_of(batches)) {
      const Index more = trainer_->plan_bytes(b);
      bytes += more;
      if (more == 0 || (count > 0 && bytes > budget)) break;
      ++count;
    }
    return count;
  }

  void begin_segment(const py::object& order, Index t, double learning_rate) {
    const auto batches = batches_of(order);
    const bool planned = std::all_of(batches.begin(), batches.end(),
                                     [&](Index b) { return trainer_->plan_bytes(b) > 0; });
    require(planned && batches.size() <= static_cast<std::size_t>(max_int32),
            "order holds a batch that is not planned");
    steps_ = 0;
    {
      const py::gil_scoped_release release;
      trainer_->begin_segment(batches, t, learning_rate);
    }
    steps_ = static_cast<Index>(batches.size());
  }

  double run(Index begin, Index end, double loss) {
    require(0 <= begin && begin <= end && end <= steps_, "no such steps");
    const py::gil_scoped_release release;
    return trainer_->run(begin, end, loss);
  }

 private:
  std::span<const Index> batches_of(const py::object& batches) const {
    const Index size = as_array<Index>(batches, "batches").size();
    const Index* batch = input<Index>(batches, {size}, "batches");
    std::vector<bool> seen(batches_);
    for (Index q = 0; q < size; ++q) {
      require(batch[q] >= 0 && batch[q] < batches_ && !seen[batch[q]],
              "no such batch, or the same one again");
      seen[batch[q]] = true;
    }
    return {batch, static_cast<std::size_t>(size)};
  }

  std::vector<py::object> alive_;
  Index batches_ = 0;
  Index steps_ = 0;  // of the segment
  std::unique_ptr<Trainer> trainer_;
};

void bind_classes(py::module_& m) {
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

  py::class_<TrainingRun>(m, "TrainingRun")
      .def(py::init<const Csr&, const py::object&, const py::object&, const py::object&, Index,
                    const std::string&, const py::object&, const py::object&, const py::object&,
                    const py::object&, int>(),
           py::arg("X"), py::arg("rows"), py::arg("targets"), py::arg("weights"),
           py::arg("batch_size"), py::arg("loss"), py::arg("bias"), py::arg("scalars"),
           py::arg("factors"), py::arg("solver"), py::arg("threads"))
      .def_property_readonly("n_batches", &TrainingRun::batches)
      .def("plan", &TrainingRun::plan)
      .def("forget", &TrainingRun::forget)
      .def("count_planned", &TrainingRun::count_planned)
      .def("begin_segment", &TrainingRun::begin_segment)
      .def("run", &TrainingRun::run);
}

}  // namespace
}  // namespace sparsefm

PYBIND11_MODULE(SPARSEFM_MODULE, m) {
  sparsefm::bind_layers(m);
  sparsefm::bind_losses(m);
  sparsefm::bind_classes(m);
  m.attr("compiler") = SPARSEFM_COMPILER;
  m.attr("eigen_version") = std::to_string(EIGEN_WORLD_VERSION) + "." +
                            std::to_string(EIGEN_MAJOR_VERSION) + "." +
                            std::to_string(EIGEN_MINOR_VERSION);
  m.attr("openmp_version") = sparsefm::openmp_version();
}
