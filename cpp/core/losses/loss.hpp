// The interface of a loss: its values and slopes for a block of rows.
//
// Most losses are sums over rows of an L(y, s); such a loss is a small struct in `pointwise.hpp`.
// The unit is a block of rows, not a row. So the cost of a virtual call does not matter, and a loss
// may use neighbouring rows (pairs). The loss of several scores of a row is in `softmax.hpp`.
#pragma once

#include <memory>

#include "../settings.hpp"
#include "../types.hpp"

namespace sparsefm {

template <class Real>
class Loss {
 public:
  virtual ~Loss() = default;

  /// values (rows,): the loss of each row, from targets (rows,) and scores (rows,)
  virtual void values(Index rows, const Real* targets, const Real* scores,
                      Real* values) const noexcept = 0;

  /// slopes (rows,): its derivative with respect to the score
  virtual void slopes(Index rows, const Real* targets, const Real* scores,
                      Real* slopes) const noexcept = 0;
};

/// Makes the loss of that name; throws std::invalid_argument if there is none.
template <class Real>
std::unique_ptr<const Loss<Real>> make_loss(const Settings& settings);

extern template std::unique_ptr<const Loss<float>> make_loss(const Settings&);
extern template std::unique_ptr<const Loss<double>> make_loss(const Settings&);

}  // namespace sparsefm
