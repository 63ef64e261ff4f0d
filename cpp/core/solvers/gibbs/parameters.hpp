// The parameters as the kernels need them: factors padded with zeros to whole vector registers.
#pragma once

#include <algorithm>

#include "../../parallel.hpp"
#include "gibbs.hpp"
#include "line_array.hpp"
#include "moments.hpp"

namespace sparsefm::gibbs {

/// Vectors of factors, padded with zeros to a width.
template <class Real>
struct Factors {
  const Real* data;
  Index width;

  const Real* v(Index j) const noexcept { return v(j, width); }
  /// The same, for a width that the compiler may know.
  const Real* v(Index j, Index known_width) const noexcept { return data + j * known_width; }
};

template <class Real>
class Parameters {
 public:
  explicit Parameters(const ChainView<Real>& chain)
      : chain_(chain),
        width_((chain.rank + padding - 1) / padding * padding),
        factors_((chain.features + 1) * width_),
        linear_(chain.features) {
    std::fill_n(factors_.data(), (chain.features + 1) * width_, Real{0});
  }

  Index width() const noexcept { return width_; }
  Index size() const noexcept { return chain_.rank + 1; }  // of a feature
  Real w0() const noexcept { return *chain_.w0; }
  Real w(Index j) const noexcept { return linear_[j].w; }

  /// w_j x - |v_j|^2 x^2 / 2, with v_j as of the last read.
  Real own_score(Index j, Real x) const noexcept {
    return x * (linear_[j].w - x * linear_[j].half_norm);
  }

  /// The feature number `features` stands for none, and has zeros.
  Factors<Real> factors() const noexcept { return {factors_.data(), width_}; }
  const Real* v(Index j) const noexcept { return factors_.data() + j * width_; }

  /// (w_j, v_j)
  Real theta(Index j, Index c) const noexcept { return c == 0 ? w(j) : v(j)[c - 1]; }

  void set_w0(Real value) noexcept { *chain_.w0 = value; }
  void set_theta(Index j, Index c, Real value) noexcept {
    if (c == 0) {
      chain_.w[j] = linear_[j].w = value;
    } else {
      chain_.V[j * chain_.rank + c - 1] = factors_[j * width_ + c - 1] = value;
    }
  }

  /// Reads them from the chain.
  void read(Team& team) {
    team.for_blocks(chain_.features, block, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        const Real* v = chain_.V + j * chain_.rank;
        Real norm = 0;
        for (Index c = 0; c < chain_.rank; ++c) {
          factors_[j * width_ + c] = v[c];
          norm += v[c] * v[c];
        }
        linear_[j] = {chain_.w[j], norm / 2};
      }
    });
  }

 private:
  static constexpr Index block = 512;  // features

  struct Linear {
    Real w, half_norm;  // |v|^2 / 2, as of the last read
  };

  ChainView<Real> chain_;
  Index width_;
  LineArray<Real> factors_;  // (features + 1, width)
  LineArray<Linear> linear_;
};

}  // namespace sparsefm::gibbs
