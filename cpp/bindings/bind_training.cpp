// The trainer, and the norms that it needs in a state.
#include "../core/solvers/trainer.hpp"
#include "bind.hpp"
#include "plan.hpp"

namespace sparsefm {
namespace {

/// The arrays of a state (`State` in Python), checked against each other and against the
/// optimizer's number of moments, which comes from the core and not from Python.
template <class Real>
StateView<Real> state_view(const py::object& bias, const py::object& scalars,
                           const py::object& factors, int moments) {
  const auto shape = as_array<Real>(factors, "factors");
  require(shape.ndim() == 3 && shape.shape(2) % 4 == 0,
          "factors must have shape (n_features, 1 + moments, a multiple of 4)");
  const Index features = shape.shape(0), width = shape.shape(2);
  return {output<Real>(bias, {1 + moments}, "bias"),
          output<Real>(scalars, {features, 2 + moments}, "scalars"),
          output<Real>(factors, {features, 1 + moments, width}, "factors"),
          features,
          width,
          moments};
}

class TrainerHandle {
 public:
  TrainerHandle(const py::object& loss, const py::object& optimizer, const py::object& bias,
                const py::object& scalars, const py::object& factors, int threads)
      : alive_{bias, scalars, factors} {
    require(threads >= 1, "threads must be at least 1");
    const auto settings = settings_of(optimizer);
    for_real(factors, [&]<class Real> {
      const auto state = state_view<Real>(bias, scalars, factors, moments_of(settings));
      features_ = state.features;
      trainer_ = make_trainer(state, settings_of(loss), settings, threads);
    });
  }

  void begin_segment(const PlanHandle& plan, const py::object& targets, const py::object& order,
                     Index t, double learning_rate) {
    const auto batches = plan.batches_of(order);
    require(t >= 0, "steps cannot be negative");
    require(plan.features() == features_, "the plan has other features than the parameters");
    require(plan.count_within(order, std::numeric_limits<Index>::max()) ==
                static_cast<Index>(batches.size()),
            "order holds a batch that has no transpose");
    steps_ = 0;
    for_trainer([&]<class Real>(Trainer<Real>& trainer) {
      const Plan<Real>* typed = plan.get<Real>();
      require(typed != nullptr, "the plan is for another type than the parameters");
      const Real* y = input<Real>(targets, {plan.rows()}, "targets");
      segment_ = {py::cast(plan), targets};
      const py::gil_scoped_release release;
      trainer.begin_segment(*typed, y, batches, t, learning_rate);
    });
    steps_ = static_cast<Index>(batches.size());
  }

  double run(Index begin, Index end, double loss) {
    require(0 <= begin && begin <= end && end <= steps_, "no such steps");
    double total = 0;
    for_trainer([&]<class Real>(Trainer<Real>& trainer) {
      const py::gil_scoped_release release;
      total = trainer.run(begin, end, loss);
    });
    return total;
  }

 private:
  template <class Body>
  void for_trainer(const Body& body) {
    std::visit([&](auto& trainer) { body(*trainer); }, trainer_);
  }

  std::vector<py::object> alive_, segment_;
  Index features_ = 0;
  Index steps_ = 0;  // of the segment
  std::variant<std::unique_ptr<Trainer<float>>, std::unique_ptr<Trainer<double>>> trainer_;
};

}  // namespace

void bind_training(py::module_& m) {
  py::class_<TrainerHandle>(m, "Trainer")
      .def(py::init<const py::object&, const py::object&, const py::object&, const py::object&,
                    const py::object&, int>(),
           py::arg("loss"), py::arg("optimizer"), py::arg("bias"), py::arg("scalars"),
           py::arg("factors"), py::arg("threads"))
      .def("begin_segment", &TrainerHandle::begin_segment, py::arg("plan"), py::arg("targets"),
           py::arg("order"), py::arg("t"), py::arg("learning_rate"))
      .def("run", &TrainerHandle::run, py::arg("begin"), py::arg("end"), py::arg("loss"));

  m.def(
      "refresh_norms",
      [](const py::object& scalars, const py::object& factors, const py::object& features) {
        for_real(factors, [&]<class Real> {
          const auto shape = as_array<Real>(factors, "factors");
          require(shape.ndim() == 3 && shape.shape(1) >= 1, "factors must be three-dimensional");
          const Index n = shape.shape(0), moments = shape.shape(1) - 1, width = shape.shape(2);
          const StateView<Real> state{nullptr,
                                      output<Real>(scalars, {n, 2 + moments}, "scalars"),
                                      output<Real>(factors, {n, 1 + moments, width}, "factors"),
                                      n,
                                      width,
                                      static_cast<int>(moments)};
          if (features.is_none()) return refresh_norms<Real>(state, nullptr, n);
          const Index count = as_array<Index>(features, "features").size();
          const auto* feature = input<Index>(features, {count}, "features");
          require(std::all_of(feature, feature + count, [n](Index i) { return i >= 0 && i < n; }),
                  "there is no such feature");
          refresh_norms<Real>(state, feature, count);
        });
      },
      py::arg("scalars"), py::arg("factors"), py::arg("features"));
}

}  // namespace sparsefm
