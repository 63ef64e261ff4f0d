// How a model combines features that occur together.
//
// An interaction is a class with
//   row_size(width)             how many numbers a row passes to its features
//   place(i)                    the position in these of the first number for feature i
//   score<Pieces>(row, theta, S)
//                               returns s(x) of a row for the parameters theta; writes the sums
//                               that the gradient needs into S (row_size,), unless S is null
//   terms<Pieces>(S, size, e)   turns S into T, which the features add up over their rows, for a
//                               row with the slope e = dL/ds
//   gradient(xT, self, v)       dL/dv_i from xT = sum_r x_ri T_r and self = sum_r e_r x_ri^2, for
//                               some neighbouring factors at a time
// `Pieces` say how to cut a vector of factors for vector registers (`registers.hpp`).
// theta is a `ModelView` or a `StateView`: bias(), linear(i), factors(i) (width,), and
// squared_norm(i) where it `keeps_norms`.
//
// Training (`solvers/minibatch.hpp`), prediction and the stateless layers (`layers.cpp`) use only
// these functions, so each formula is written once, in a file of this folder.
#pragma once

#include <concepts>

#include "../model/model_view.hpp"
#include "../model/state_view.hpp"
#include "../registers.hpp"

namespace sparsefm {

template <class I, class Real, class Pieces, class Parameters>
concept ScoresRows = requires(const I interaction, const CsrRow<Ones<Real>>& row,
                              const Parameters& theta, Real* S, Real e) {
  { interaction.template score<Pieces>(row, theta, S) } noexcept -> std::same_as<Real>;
  { interaction.template terms<Pieces>(S, theta.width, e) } noexcept;
};

template <class I, class Real>
concept InteractionOf = ScoresRows<I, Real, MixedPieces<Real>, ModelView<Real>> &&
                        ScoresRows<I, Real, Pieces<Lanes<Real, 16>>, StateView<Real>> &&
                        requires(const I interaction, Index n, Real e, Lanes<Real, 4> v) {
                          { interaction.row_size(n) } noexcept -> std::same_as<Index>;
                          { interaction.place(n) } noexcept -> std::same_as<Index>;
                          { interaction.gradient(v, e, v) } -> std::convertible_to<Lanes<Real, 4>>;
                        };

}  // namespace sparsefm
