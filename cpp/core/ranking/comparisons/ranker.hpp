// The interface of a training on comparisons of items.
//
// A context c and an item i have features of their own, and their score is that of a factorization
// machine on the features of both. What contexts add by themselves moves all items alike, so that
// only these parts matter:
//
//   s(c, i) = b_i + <p_c, q_i>,   p_c = sum_f x_cf v_f,   q_i = sum_f x_if v_f,
//   b_i = sum_f w_f x_if + the pairs of features of the item.
//
// In graded lists, items are rows with all features, and contexts have none.
#pragma once

#include <memory>
#include <span>

#include "../../data/csr_view.hpp"
#include "../../model/state_view.hpp"
#include "../../settings.hpp"
#include "negatives.hpp"

namespace sparsefm::comparisons {

/// What a training on comparisons is told.
template <class Real>
struct RankingTask {
  CsrView<const Real*> contexts, items;
  Positives<Real> positives;
  KnownItems known;
  AliasTable table;
  std::uint64_t seed;
  Index negatives;  // of a positive; 0: all items that can be drawn. Of warp: most draws
  Index batch_size;
};

template <class Real>
class Ranker {
 public:
  virtual ~Ranker() = default;

  /// Makes the steps [begin, end) of an epoch, after t earlier steps. Step s takes the positives
  /// order[s * batch_size], ... Adds to `loss` the sum of weight * loss over them, before each
  /// step. Stops once it is not finite.
  virtual double run(std::span<const Index> order, Index epoch, Index begin, Index end, Index t,
                     double learning_rate, double loss) = 0;
};

/// The loss is "bpr", "softmax" or "warp", the optimizer one that moves only what a batch touches.
template <class Real>
std::unique_ptr<Ranker<Real>> make_ranker(const StateView<Real>& state,
                                          const RankingTask<Real>& task, const std::string& loss,
                                          const Settings& optimizer, int threads);

extern template std::unique_ptr<Ranker<float>> make_ranker(const StateView<float>&,
                                                           const RankingTask<float>&,
                                                           const std::string&, const Settings&,
                                                           int);
extern template std::unique_ptr<Ranker<double>> make_ranker(const StateView<double>&,
                                                            const RankingTask<double>&,
                                                            const std::string&, const Settings&,
                                                            int);

}  // namespace sparsefm::comparisons
