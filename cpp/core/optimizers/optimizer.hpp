// The concept of an optimizer: how parameters are updated.
//
// An optimizer is a class, built from its `Settings` for each training, with
//   name                               its name in Python
//   moments                            the number of moments of each parameter
//   begin_segment(t, steps, rate)      `steps` steps follow; the first one is number t + 1
//   begin_step(step, rows)             0 <= step < steps; rows: the number of rows of its batch
//   missed(n)                          what a parameter misses if the next n steps do not touch it,
//                                      from the step just begun or the start of the segment
//   apply(theta, stride, g, missed)    makes one step of parameters `theta`, then the missed steps;
//                                      moment q of theta is at theta + q * stride
//   catches_up                         whether missed steps move parameters; if so,
//   skip(theta, stride, missed)        makes the missed steps alone
// To add one: a header here, its name in `family.hpp`, and its dataclass in Python.
#pragma once

#include <concepts>
#include <string_view>

#include "../registers.hpp"
#include "../settings.hpp"

namespace sparsefm {

template <class O, class Real>
concept OptimizerOf = std::constructible_from<O, const Settings&> &&
                      requires(O optimizer, const O moving, Index n, double rate, Real* parameter,
                               Lanes<Real, 4> g, typename O::Missed missed) {
                        { O::name } -> std::convertible_to<std::string_view>;
                        { O::moments } -> std::convertible_to<int>;
                        { O::catches_up } -> std::convertible_to<bool>;
                        optimizer.begin_segment(n, n, rate);
                        { optimizer.begin_step(n, n) } noexcept;
                        { moving.missed(n) } noexcept -> std::same_as<typename O::Missed>;
                        { moving.apply(parameter, n, g, missed) } noexcept;
                      } &&
                      (!O::catches_up || requires(const O moving, Index n, Real* parameter,
                                                  typename O::Missed missed) {
                        { moving.template skip<Lanes<Real, 4>>(parameter, n, missed) } noexcept;
                      });

}  // namespace sparsefm
