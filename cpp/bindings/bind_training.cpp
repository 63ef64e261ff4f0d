// The trainer, and the norms that it needs in a state.
#include "../core/solvers/class_trainer.hpp"
#include "../core/solvers/field_trainer.hpp"
#include "../core/solvers/trainer.hpp"
#include "bind.hpp"
#include "fields.hpp"
#include "plan.hpp"
#include "state.hpp"

namespace sparsefm {
namespace {

/// The arrays of the state of several classes (`ClassState` in Python), checked in the same way.
template <class Real>
ClassStateView<Real> class_state_view(const py::object& bias, const py::object& vectors,
                                      const py::object& features) {
  const auto of_classes = as_array<Real>(vectors, "vectors");
  const auto of_features = as_array<Real>(features, "features");
  const auto biases = as_array<Real>(bias, "bias");
  require(biases.ndim() == 2 && of_classes.ndim() == 3 && of_features.ndim() == 3,
          "bias must have two dimensions, vectors and features three");
  const Index moments = biases.shape(0) - 1, class_width = biases.shape(1);
  const Index classes = of_classes.shape(0), width = of_classes.shape(2);
  const Index n_features = of_features.shape(0);
  require(moments >= 0 && class_width % 8 == 0 && width % 8 == 0,
          "the widths must be multiples of 8");
  require(2 <= classes && classes <= class_width, "there must be two classes or more");
  return {output<Real>(bias, {1 + moments, class_width}, "bias"),
          output<Real>(vectors, {classes, 1 + moments, width}, "vectors"),
          output<Real>(features, {n_features, 1 + moments, class_width + width}, "features"),
          n_features,
          classes,
          class_width,
          width,
          static_cast<int>(moments)};
}

class TrainerHandle {
 public:
  TrainerHandle(const py::object& loss, const py::object& optimizer, const py::object& bias,
                const py::object& scalars, const py::object& factors, int threads,
                const py::object& pairs, const py::object& blocks)
      : alive_{bias, scalars, factors, pairs, blocks} {
    require(threads >= 1, "threads must be at least 1");
    const auto settings = settings_of(optimizer);
    for_real(factors, [&]<class Real> {
      const auto state = state_view<Real>(bias, scalars, factors, moments_of(settings));
      features_ = state.features;
      if (!pairs.is_none()) {
        const auto fields = field_pairs_in_training<Real>(pairs, state.features, state.moments);
        trainer_ = make_field_trainer(state, fields, settings_of(loss), settings, threads);
      } else if (!blocks.is_none()) {
        const auto fields = field_blocks_in_training(blocks, state.features, state.width);
        trainer_ = make_field_trainer(state, fields, settings_of(loss), settings, threads);
      } else {
        trainer_ = make_trainer(state, settings_of(loss), settings, threads);
      }
    });
  }

  TrainerHandle(const py::object& optimizer, const py::object& bias, const py::object& vectors,
                const py::object& features, int threads)
      : alive_{bias, vectors, features} {
    require(threads >= 1, "threads must be at least 1");
    const auto settings = settings_of(optimizer);
    for_real(features, [&]<class Real> {
      const auto state = class_state_view<Real>(bias, vectors, features);
      require(state.moments == moments_of(settings), "the optimizer has other moments");
      features_ = state.features;
      classes_ = state.classes;
      trainer_ = make_class_trainer(state, settings, threads);
    });
  }

  void penalise(const py::object& l2_linear, const py::object& l2_factors) {
    for_trainer([&]<class Real>(Trainer<Real>& trainer) {
      const Real* linear =
          l2_linear.is_none() ? nullptr : input<Real>(l2_linear, {features_}, "l2_linear");
      trainer.penalise(linear, input<Real>(l2_factors, {features_}, "l2_factors"));
    });
    alive_.push_back(l2_linear);
    alive_.push_back(l2_factors);
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
      const auto is_class = [this](Real c) { return c >= 0 && c < static_cast<Real>(classes_); };
      require(classes_ == 0 || std::all_of(y, y + plan.rows(), is_class),
              "targets must be numbers of classes");
      segment_ = {py::cast(plan), targets};
      const ReleasedGil released;
      trainer.begin_segment(*typed, y, batches, t, learning_rate);
    });
    steps_ = static_cast<Index>(batches.size());
  }

  double run(Index begin, Index end, double loss) {
    require(0 <= begin && begin <= end && end <= steps_, "no such steps");
    double total = 0;
    for_trainer([&]<class Real>(Trainer<Real>& trainer) {
      const ReleasedGil released;
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
  Index classes_ = 0;  // 0: one output
  Index steps_ = 0;    // of the segment
  std::variant<std::unique_ptr<Trainer<float>>, std::unique_ptr<Trainer<double>>> trainer_;
};

}  // namespace

void bind_training(py::module_& m) {
  py::class_<TrainerHandle>(m, "Trainer")
      .def(py::init<const py::object&, const py::object&, const py::object&, const py::object&,
                    const py::object&, int, const py::object&, const py::object&>(),
           py::arg("loss"), py::arg("optimizer"), py::arg("bias"), py::arg("scalars"),
           py::arg("factors"), py::arg("threads"), py::arg("pairs") = py::none(),
           py::arg("blocks") = py::none())
      .def(py::init<const py::object&, const py::object&, const py::object&, const py::object&,
                    int>(),
           py::arg("optimizer"), py::arg("bias"), py::arg("vectors"), py::arg("features"),
           py::arg("threads"))
      .def("penalise", &TrainerHandle::penalise, py::arg("l2_linear"), py::arg("l2_factors"))
      .def("begin_segment", &TrainerHandle::begin_segment, py::arg("plan"), py::arg("targets"),
           py::arg("order"), py::arg("t"), py::arg("learning_rate"))
      .def("run", &TrainerHandle::run, py::arg("begin"), py::arg("end"), py::arg("loss"));

  m.def("class_scores",
        [](const py::object& scores, const Csr& X, Index first, const py::object& bias,
           const py::object& vectors, const py::object& features, int threads) {
          for_real(features, [&]<class Real> {
            const auto state = class_state_view<Real>(bias, vectors, features);
            const auto view = X.view<Real>();
            const auto shape = as_array<Real>(scores, "scores");
            require(shape.ndim() == 2, "scores must have two dimensions");
            const Index rows = shape.shape(0);
            Real* out = output<Real>(scores, {rows, state.classes}, "scores");
            require(X.features() == state.features, "X has other features than the parameters");
            require(0 <= first && first + rows <= X.rows(), "X has no such rows");
            const ReleasedGil released;
            class_scores(out, view, first, rows, state, threads);
          });
        });

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
