// What the block conditional of a feature needs of its rows. With z_r = x_rj [1, h_r] and
// h_r = q_r - x_rj v_j:
//
//   G = sum_r omega_r z_r z_r'      b = sum_r omega_r z_r e_r
//
// Rows are gathered into tiles of 64, and a tile's sums stay in vector registers. In float32 only
// they are: tiles are added in double.
#pragma once

#include <algorithm>
#include <utility>

#include "../../registers.hpp"
#include "line_array.hpp"

namespace sparsefm::gibbs {

/// Factors that the sums of a tile are computed for at once. Vectors of factors are padded with
/// zeros to a multiple of 8.
template <class Real>
constexpr int lane_width = 32 / sizeof(Real);

/// What vectors of factors are padded to a multiple of.
constexpr Index padding = 8;

/// G and b of one feature, in double. Of the part of G that belongs to the factors only the blocks
/// on and below the diagonal are there.
class MomentsView {
 public:
  MomentsView(double* data, Index width) noexcept : data_(data), width_(width) {}
  static Index size(Index width) noexcept { return width * width + 2 * width + 2; }

  Index width() const noexcept { return width_; }
  double* hh() const noexcept { return data_; }                            // (width, width)
  double* h1() const noexcept { return data_ + width_ * width_; }          // (width)
  double* he() const noexcept { return h1() + width_; }                    // (width)
  double& one() const noexcept { return data_[width_ * (width_ + 2)]; }    // sum omega x^2
  double& e() const noexcept { return data_[width_ * (width_ + 2) + 1]; }  // sum omega x e

  void set_zero() const noexcept { std::fill_n(data_, size(width_), 0.0); }
  void add(const MomentsView& other) const noexcept {
    for (Index i = 0; i < size(width_); ++i) data_[i] += other.data_[i];
  }

 private:
  double* data_;
  Index width_;
};

/// z and e of up to 64 rows of a feature.
template <class Real>
class Tile {
 public:
  static constexpr Index rows = 64;

  explicit Tile(Index width)
      : width_(width), factors_(rows * width), scaled_(rows * width), scalars_(3 * rows) {
    std::fill_n(scalars_.data(), 3 * rows, Real{1});
  }

  /// Row i has z = [x, z_1 .. z_width] and e.
  struct View {
    Real *x, *wx, *we;       // (rows,): x, omega x, omega e
    Real *factors, *scaled;  // (rows, width): z and, if there are weights, omega z
  };
  View view() noexcept {
    Real* scalars = scalars_.data();
    return {scalars, scalars + rows, scalars + 2 * rows, factors_.data(), scaled_.data()};
  }

  /// Adds the sums over the first `size` rows.
  template <class Pieces>
  void add_to(const MomentsView& moments, Index size, bool weighted) const noexcept {
    const Index width = Pieces::width(width_);
    const Real* wz = weighted ? scaled_.data() : factors_.data();
    for (Index row = 0; row < width; row += Width) {
      for (Index column = 0; column < row; column += Width) {
        add_block<false>(moments, {size, width, row, column}, wz + row);
      }
      add_block<true>(moments, {size, width, row, row}, wz + row);
    }
    const auto x = scalars(0), wx = scalars(1), we = scalars(2);
    moments.one() += static_cast<double>((x * wx).head(size).sum());
    moments.e() += static_cast<double>((x * we).head(size).sum());
  }

 private:
  static constexpr int Width = lane_width<Real>;
  using L = Lanes<Real, Width>;
  using Doubles = Lanes<double, Width>;

  auto scalars(Index which) const noexcept {
    return Eigen::Map<const Lanes<Real, rows>>(scalars_.data() + which * rows);
  }

  static void add(double* sum, const L& part) noexcept {
    Eigen::Map<Doubles> total(sum);
    total += part.template cast<double>();
  }

  struct Block {
    Index size;         // rows of the tile
    Index width;        // of the tile
    Index row, column;  // within G
  };

  /// A square block of `sum omega z z'`; on the diagonal also `sum omega x z` and `sum omega e z`.
  template <bool diagonal>
  void add_block(const MomentsView& moments, const Block& block, const Real* wz) const noexcept {
    add_block<diagonal>(moments, block, wz, std::make_integer_sequence<int, Width>());
  }

  template <bool diagonal, int... i>
  void add_block(const MomentsView& moments, const Block& block, const Real* wz,
                 std::integer_sequence<int, i...>) const noexcept {
    const Real* z = factors_.data() + block.column;
    const Real* wx = scalars_.data() + rows;
    const Real* we = wx + rows;
    L sums[Width] = {((void)i, L::Zero())...}, sum_x = L::Zero(), sum_e = L::Zero();
    for (Index r = 0; r < block.size; ++r) {
      const L z_r = Eigen::Map<const L>(z);
      (add_product(sums[i], L(L::Constant(wz[i])), z_r), ...);
      if constexpr (diagonal) {
        add_product(sum_x, L(L::Constant(wx[r])), z_r);
        add_product(sum_e, L(L::Constant(we[r])), z_r);
      }
      z += block.width;
      wz += block.width;
    }
    (add(moments.hh() + (block.row + i) * block.width + block.column, sums[i]), ...);
    if constexpr (diagonal) {
      add(moments.h1() + block.column, sum_x);
      add(moments.he() + block.column, sum_e);
    }
  }

  Index width_;
  LineArray<Real> factors_, scaled_;  // (rows, width)
  LineArray<Real> scalars_;           // x, omega x, omega e
};

}  // namespace sparsefm::gibbs
