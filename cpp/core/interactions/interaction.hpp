// How a model combines features that occur together.
//
// A row has some vectors T_a for its features. Feature i takes number of(i), and its factors have
// the gradient
//
//   dL/dv_i = sum_r e_r (x_ri T_r,of(i) - own(i) * x_ri^2 v_i),   e_r = dL/ds of row r
//
// An interaction is a class with
//   vectors()                   how many vectors a row has
//   of(i)                       as above
//   own<L>(i, f)                as above: one number for all factors, or an L for f, f + 1, ...
//   prefetch(i)                 asks for the memory that these two will touch
//   sums_size(width)            how many sums of a row it keeps besides T, if any
//   score<Pieces>(row, theta, out)
//                               returns s(x) of a row for the parameters theta; writes the vectors
//                               T_a, unless out.terms is null, and the sums; what keeps no sums
//                               besides T may need out.terms
//   uses_norms                  whether `score` reads squared_norm(i)
//   scales_late                 whether e_r multiplies T_r where features gather it, and not where
//                               the row wrote it: less work where T is large, and the same bits
//   has_weights                 whether it has parameters of its own; if so, with the sums of rows,
//   weights()                   how many they are
//   add_weight_gradients<Pieces>(sums, e, rows, width, gradients)
//                               adds what `update` needs of some rows to gradients (weights,)
//   update(optimizer, gradient) makes a step
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

/// Where the score of a row leaves its sums.
template <class Real>
struct RowSums {
  Real* sums;   // (sums_size,)
  Real* terms;  // T (vectors, width); may be null where only the score is wanted
};

template <class I, class Real, class Pieces, class Parameters>
concept ScoresRows = requires(const I interaction, const CsrRow<Ones<Real>>& row,
                              const Parameters& theta, const RowSums<Real>& out) {
  { interaction.template score<Pieces>(row, theta, out) } noexcept -> std::same_as<Real>;
};

template <class I, class Real>
concept InteractionOf = ScoresRows<I, Real, MixedPieces<Real>, ModelView<Real>> &&
                        ScoresRows<I, Real, Pieces<Lanes<Real, 16>>, StateView<Real>> &&
                        requires(const I interaction, Index n) {
                          { I::uses_norms } -> std::convertible_to<bool>;
                          { I::scales_late } -> std::convertible_to<bool>;
                          { I::has_weights } -> std::convertible_to<bool>;
                          { interaction.vectors() } noexcept -> std::same_as<Index>;
                          { interaction.of(n) } noexcept -> std::same_as<Index>;
                          { interaction.template own<Lanes<Real, 4>>(n, n) } noexcept;
                          { interaction.prefetch(n) } noexcept;
                          { interaction.sums_size(n) } noexcept -> std::same_as<Index>;
                        };

}  // namespace sparsefm
