// The interface of a Gibbs sampler: one chain, in arrays that the caller owns.
#pragma once

#include <memory>
#include <span>

#include "../../data/csr_view.hpp"
#include "../../settings.hpp"

namespace sparsefm::gibbs {

/// What a chain is between sweeps.
template <class Real>
struct ChainView {
  Real* w0 = nullptr;            // (1,)
  Real* w = nullptr;             // (features,)
  Real* V = nullptr;             // (features, rank)
  double* alpha = nullptr;       // (1,): precision of the targets
  double* means = nullptr;       // (fields, 1 + rank): hyperparameters; w first
  double* precisions = nullptr;  // (fields, 1 + rank)
  std::span<double> cuts;        // between ordered classes, ascending from 0; others ignore them
  Index features = 0, rank = 0, fields = 0;
  std::uint64_t seed = 0;
  std::uint32_t chain = 0;  // below 2^24
};

/// Features whose values depend on an entity of the row only. They are not in the rows themselves.
template <class Real>
struct RelationView {
  CsrView<const Real*> X;        // (entities, features); those of X, by the same numbers
  const std::int32_t* entities;  // (rows,): of each row
};

template <class Real>
using Relations = std::span<const RelationView<Real>>;

template <class Real>
class Gibbs {
 public:
  virtual ~Gibbs() = default;

  /// Makes sweep number t. Returns the weighted sum of squared residuals after it. Throws
  /// std::overflow_error if the numbers are too large for Real; parameters are finite then, but
  /// only some of them have been drawn.
  virtual double sweep(Index t, int threads) = 0;
};

/// X, relations, targets and the chain's arrays are borrowed. The features of a field are all in X
/// or all in one relation. `targets` (rows,): 1 and -1 for two classes; for ordered classes their
/// numbers, from 0 to the number of cuts. `weights` (rows,), not negative, or null: all one.
/// `fields` (features,): of each feature. `settings`: the name of the likelihood, "squared",
/// "probit" or "ordinal", and the constants "sample" (0: least squares by alternating exact steps),
/// "alpha0", "beta0", "gamma0" and "bias_precision"; for ordered classes also "gap_precision".
template <class Real>
std::unique_ptr<Gibbs<Real>> make_gibbs(const MatrixView<Real>& X, Relations<Real> relations,
                                        const Real* targets, const Real* weights,
                                        std::span<const std::int32_t> fields,
                                        const Settings& settings, const ChainView<Real>& chain);

extern template std::unique_ptr<Gibbs<float>> make_gibbs(const MatrixView<float>&, Relations<float>,
                                                         const float*, const float*,
                                                         std::span<const std::int32_t>,
                                                         const Settings&, const ChainView<float>&);
extern template std::unique_ptr<Gibbs<double>> make_gibbs(
    const MatrixView<double>&, Relations<double>, const double*, const double*,
    std::span<const std::int32_t>, const Settings&, const ChainView<double>&);

}  // namespace sparsefm::gibbs
