// The losses, row by row.
#include "../core/losses/loss.hpp"
#include "arrays.hpp"
#include "bind.hpp"

namespace sparsefm {
namespace {

/// Returns what `compute(loss, rows, targets, scores, result)` writes into `result`, one number for
/// each row.
template <class Compute>
py::object rowwise(const py::object& loss, const py::object& targets, const py::object& scores,
                   const Compute& compute) {
  return for_real(scores, [&]<class Real>() -> py::object {
    const auto found = make_loss<Real>(settings_of(loss));
    const Index rows = as_array<Real>(scores, "scores").size();
    const Real* y = input<Real>(targets, {rows}, "targets");
    const Real* s = input<Real>(scores, {rows}, "scores");
    Array<Real> result(rows);
    compute(*found, rows, y, s, result.mutable_data());
    return result;
  });
}

}  // namespace

void bind_losses(py::module_& m) {
  m.def("loss_values", [](const py::object& loss, const py::object& y, const py::object& s) {
    return rowwise(loss, y, s, [](const auto& found, Index rows, auto... arrays) {
      found.values(rows, arrays...);
    });
  });
  m.def("loss_slopes", [](const py::object& loss, const py::object& y, const py::object& s) {
    return rowwise(loss, y, s, [](const auto& found, Index rows, auto... arrays) {
      found.slopes(rows, arrays...);
    });
  });
}

}  // namespace sparsefm
