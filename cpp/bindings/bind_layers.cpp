// The stateless layers.
#include <algorithm>

#include "../core/layers.hpp"
#include "../core/solvers/field_trainer.hpp"
#include "bind.hpp"
#include "csr.hpp"
#include "fields.hpp"

namespace sparsefm {
namespace {

/// w and V may have gaps between features (columns of a larger array); V has none between factors.
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

/// Calls `score(out, X, rows, model)` with checked arguments, for the rows of X from `first` on.
template <class Body>
void for_scores(const py::object& scores, const Csr& X, Index first, double w0, const py::object& w,
                const py::object& V, const Body& score) {
  for_real(scores, [&]<class Real> {
    const auto model = model_view<Real>(X.features(), w0, w, V);
    const auto view = X.view<Real>();
    const Index rows = as_array<Real>(scores, "scores").size();
    Real* out = output<Real>(scores, {rows}, "scores");
    require(0 <= first && first + rows <= X.rows(), "X has no such rows");
    score(out, view, rows, model);
  });
}

void bind_forward(py::module_& m) {
  m.def("forward", [](const py::object& scores, const Csr& X, Index first, double w0,
                      const py::object& w, const py::object& V, int threads) {
    for_scores(scores, X, first, w0, w, V,
               [&]<class Real>(Real* out, const MatrixView<Real>& view, Index rows,
                               const ModelView<Real>& model) {
                 const ReleasedGil released;
                 forward(out, view, first, rows, model, threads);
               });
  });
  m.def("field_scores", [](const py::object& scores, const Csr& X, Index first, double w0,
                           const py::object& w, const py::object& V, const py::object& field_of,
                           const py::object& weights, int threads) {
    for_scores(scores, X, first, w0, w, V,
               [&]<class Real>(Real* out, const MatrixView<Real>& view, Index rows,
                               const ModelView<Real>& model) {
                 const auto pairs = field_pairs<Real>(field_of, weights, model.features);
                 std::visit([&](const auto& x) { check_fields(pairs, x, first, rows); }, view);
                 const ReleasedGil released;
                 field_scores(out, view, first, rows, model, pairs, threads);
               });
  });
  m.def("field_aware_scores",
        [](const py::object& scores, const Csr& X, Index first, double w0, const py::object& w,
           const py::object& V, const py::object& field_of, Index fields, Index size, int threads) {
          for_scores(scores, X, first, w0, w, V,
                     [&]<class Real>(Real* out, const MatrixView<Real>& view, Index rows,
                                     const ModelView<Real>& model) {
                       const auto blocks =
                           field_blocks(field_of, fields, size, model.features, model.width);
                       std::visit([&](const auto& x) { check_fields(blocks, x, first, rows); },
                                  view);
                       const ReleasedGil released;
                       field_scores(out, view, first, rows, model, blocks, threads);
                     });
        });
}

template <class Real>
Array<Real> zeros(std::initializer_list<Index> shape) {
  Array<Real> array{std::vector<py::ssize_t>(shape)};
  std::fill_n(array.mutable_data(), array.size(), Real{0});
  return array;
}

void bind_backward(py::module_& m) {
  m.def("backward",
        [](const Csr& X, const py::object& slopes, const py::object& w, const py::object& V,
           int threads) -> py::object {
          return for_real(V, [&]<class Real>() -> py::object {
            const auto model = model_view<Real>(X.features(), 0, w, V);
            const auto view = X.view<Real>();
            const Real* e = input<Real>(slopes, {X.rows()}, "slopes");
            require(X.rows() <= max_int32, "backward takes at most 2^31 - 1 rows at once");
            auto linear = zeros<Real>({X.features()});
            auto factors = zeros<Real>({X.features(), model.width});
            Real* dw = linear.mutable_data();
            Real* dV = factors.mutable_data();
            {
              const ReleasedGil released;
              backward(dw, dV, view, e, model, threads);
            }
            return py::make_tuple(linear, factors);
          });
        });
}

void bind_adam_update(py::module_& m) {
  m.def("adam_update", [](const py::object& theta, const py::object& gradient,
                          const py::object& moment1, const py::object& moment2, Index t,
                          double learning_rate, double beta1, double beta2, double epsilon) {
    for_real(theta, [&]<class Real> {
      const Settings adam{"adam",
                          {{"beta1", beta1},
                           {"beta2", beta2},
                           {"epsilon", epsilon},
                           {"learning_rate", learning_rate}}};
      const Index size = as_array<Real>(theta, "theta").size();
      Real* values = output<Real>(theta, {size}, "theta");
      const Real* g = input<Real>(gradient, {size}, "grad");
      Real* m1 = output<Real>(moment1, {size}, "m");
      Real* m2 = output<Real>(moment2, {size}, "v");
      const ReleasedGil released;
      adam_update(values, g, m1, m2, size, t, adam);
    });
  });
}

}  // namespace

void bind_layers(py::module_& m) {
  bind_forward(m);
  bind_backward(m);
  bind_adam_update(m);
}

}  // namespace sparsefm
