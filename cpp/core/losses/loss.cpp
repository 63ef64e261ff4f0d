#include "loss.hpp"

#include "pointwise.hpp"

namespace sparsefm {
namespace {

/// The loops around the scalar functions of a loss.
template <class Real, class Pointwise>
class Rowwise final : public Loss<Real> {
 public:
  explicit Rowwise(const Settings& settings) : loss_(settings) {}

  void values(Index rows, const Real* y, const Real* s, Real* values) const noexcept override {
    for (Index r = 0; r < rows; ++r) values[r] = loss_.value(y[r], s[r]);
  }

  void slopes(Index rows, const Real* y, const Real* s, Real* slopes) const noexcept override {
    for (Index r = 0; r < rows; ++r) slopes[r] = loss_.slope(y[r], s[r]);
  }

 private:
  Pointwise loss_;
};

}  // namespace

template <class Real>
std::unique_ptr<const Loss<Real>> make_loss(const Settings& settings) {
  std::unique_ptr<const Loss<Real>> loss;
  PointwiseLosses::visit(settings.name, [&]<class Pointwise> {
    loss = std::make_unique<Rowwise<Real, Pointwise>>(settings);
  });
  return loss;
}

template std::unique_ptr<const Loss<float>> make_loss(const Settings&);
template std::unique_ptr<const Loss<double>> make_loss(const Settings&);

}  // namespace sparsefm
