// The factorization machine of several classes: the classes share the factors of the features, and
// each has a vector u_c that says how much each factor counts for it.
//
//   s_c(x) = w0_c + sum_i w_ic x_i + sum_f u_cf P_f
//   P_f = 1/2 [ S_f^2 - sum_i v_if^2 x_i^2 ],   S_f = sum_i v_if x_i
//
//   ds_c/dw0_c = 1,  ds_c/dw_ic = x_i,  ds_c/du_cf = P_f,  ds_c/dv_if = u_cf x_i (S_f - v_if x_i)
//
// O(non-zeros * (classes + rank) + classes * rank) a row. Over the rows r of a batch, with slopes
// e_rc, G_rf = sum_c e_rc u_cf and T_rf = G_rf S_rf:
//
//   dw_ic = sum_r x_ri e_rc,  dv_i = sum_r x_ri T_r - v_i sum_r x_ri^2 G_r,  du_c = sum_r e_rc P_r
#pragma once

#include "../model/class_state_view.hpp"
#include "../registers.hpp"

namespace sparsefm {

struct ClassFm {
  /// A row passes these numbers to its features: e (class_width), T (width), G (width).
  template <class Real>
  static Index row_size(const ClassStateView<Real>& theta) noexcept {
    return theta.class_width + 2 * theta.width;
  }

  /// Writes the scores of a row (class_width,), and S and P (width,).
  template <class Pieces, class Values, class Real>
  static void score(const CsrRow<Values>& row, const ClassStateView<Real>& theta, Real* scores,
                    Real* S, Real* P) noexcept {
    Pieces::visit(theta.class_width, [&]<class L>(Index c) {
      L sum = Eigen::Map<const L>(theta.bias_block + c);
      for (Index p = 0; p < row.size; ++p) {
        sum += row.values[p] * Eigen::Map<const L>(theta.of_feature(row.features[p]) + c);
      }
      Eigen::Map<L>(scores + c) = sum;
    });
    Pieces::visit(theta.width, [&]<class L>(Index f) {
      L sum = L::Zero(), squares = L::Zero();
      for (Index p = 0; p < row.size; ++p) {
        const Real* factors = theta.of_feature(row.features[p]) + theta.class_width;
        const L term = row.values[p] * Eigen::Map<const L>(factors + f);
        sum += term;
        squares += term.square();
      }
      Eigen::Map<L>(S + f) = sum;
      Eigen::Map<L>(P + f) = (sum.square() - squares) / 2;
    });
    for (Index c = 0; c < theta.classes; ++c) {
      Pieces::visit(theta.width, [&]<class L>(Index f) {
        scores[c] += (Eigen::Map<const L>(theta.vector(c) + f) * Eigen::Map<const L>(P + f)).sum();
      });
    }
  }

  /// Turns S into T and G, from the slopes e of a row.
  template <class Pieces, class Real>
  static void terms(const ClassStateView<Real>& theta, const Real* e, Real* S, Real* G) noexcept {
    Pieces::visit(theta.width, [&]<class L>(Index f) {
      L sum = L::Zero();
      for (Index c = 0; c < theta.classes; ++c) {
        sum += e[c] * Eigen::Map<const L>(theta.vector(c) + f);
      }
      Eigen::Map<L>(G + f) = sum;
      Eigen::Map<L>(S + f) *= sum;
    });
  }
};

}  // namespace sparsefm
