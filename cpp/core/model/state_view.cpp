#include "state_view.hpp"

#include "norm.hpp"

namespace sparsefm {

template <class Real>
void refresh_norms(const StateView<Real>& state, const Index* features, Index count) noexcept {
  with_pieces<Real>(state.width, [&]<class Pieces>(Pieces) {
    for (Index n = 0; n < count; ++n) {
      const Index i = features == nullptr ? n : features[n];
      state.squared_norm(i) = squared_norm<Pieces>(state.factors(i), state.width);
    }
  });
}

template void refresh_norms(const StateView<float>&, const Index*, Index) noexcept;
template void refresh_norms(const StateView<double>&, const Index*, Index) noexcept;

}  // namespace sparsefm
