// What training needs of a loss: its values and slopes for a block of rows.
//
// Most losses are sums over rows of an L(y, s); one of those is a small struct in `pointwise.hpp`.
// A block and not a row is the unit, so that a call costs nothing, and so that a loss may look at
// several scores of a row (softmax) or at neighbouring rows (pairs) at once.
#pragma once

#include <memory>

#include "../settings.hpp"
#include "../types.hpp"

namespace sparsefm {

template <class Real>
class Loss {
 public:
  virtual ~Loss() = default;

  /// How many scores of a row it looks at.
  virtual Index outputs() const noexcept { return 1; }

  /// values (rows,): the loss of each row, from targets (rows,) and scores (rows, outputs)
  virtual void values(Index rows, const Real* targets, const Real* scores,
                      Real* values) const noexcept = 0;

  /// slopes (rows, outputs): its derivative with respect to each score
  virtual void slopes(Index rows, const Real* targets, const Real* scores,
                      Real* slopes) const noexcept = 0;
};

/// The loss of that name; std::invalid_argument if there is none.
template <class Real>
std::unique_ptr<const Loss<Real>> make_loss(const Settings& settings);

extern template std::unique_ptr<const Loss<float>> make_loss(const Settings&);
extern template std::unique_ptr<const Loss<double>> make_loss(const Settings&);

}  // namespace sparsefm
