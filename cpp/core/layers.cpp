#include "layers.hpp"

#include <memory>
#include <numeric>

#include "interactions/fm.hpp"
#include "optimizers/adam.hpp"
#include "parallel.hpp"
#include "solvers/gatherer.hpp"

namespace sparsefm {
namespace {

constexpr Index row_block = 256;
constexpr Index feature_block = 64;

template <class Real, class Values>
void backward_of(Real* linear, Real* factors, const CsrView<Values>& X, const Real* slopes,
                 const ModelView<Real>& model, int threads) {
  const Fm interaction;
  using Pieces = MixedPieces<Real>;
  const Index rank = model.width;
  const std::unique_ptr<Real[]> T(new Real[X.rows * rank]);
  std::vector<Index> rows(X.rows);
  std::iota(rows.begin(), rows.end(), Index{0});
  Slots slots(X.features);
  const auto batch = transpose<Real>(X, rows.data(), X.rows, slots);

  with_team(team_size(threads, X.rows / row_block, X.nonzeros() * (rank + 1)), [&](Team& team) {
    team.for_blocks(X.rows, row_block, [&](Index, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        Real* const S = T.get() + r * rank;
        interaction.score<Pieces>(X.row(r), model, RowSums<Real>{nullptr, S});
        Pieces::visit(rank, [&]<class L>(Index f) { Eigen::Map<L>(S + f) *= slopes[r]; });
      }
    });
    Gatherer<Real> gatherer;
    gatherer.template begin<Pieces, Values>(team, batch, {slopes, T.get(), rank}, rank,
                                            [](Index) { return Index{0}; });
    team.for_blocks(batch.size(), feature_block, [&](Index, Index begin, Index end) {
      for (Index j = begin; j < end; ++j) {
        const Index i = batch.features[j];
        const auto sums = gatherer.template scalars<Values>(j);
        linear[i] = static_cast<Real>(sums.linear);
        Pieces::visit(rank, [&]<class L>(Index f) {
          const L xT = gatherer.template factors<Values, L>(j, 0, f);
          const Eigen::Map<const L> v(model.factors(i) + f);
          Eigen::Map<L>(factors + i * rank + f) = xT - static_cast<Real>(sums.self) * v;
        });
      }
    });
  });
}

}  // namespace

template <class Real>
void forward(Real* scores, const MatrixView<Real>& X, Index first, Index rows,
             const ModelView<Real>& model, int threads) {
  std::visit(
      [&](const auto& x) {
        const Index work = (x.offsets[first + rows] - x.offsets[first]) * (model.width + 1);
        with_team(team_size(threads, rows / row_block, work), [&](Team& team) {
          team.for_blocks(rows, row_block, [&](Index, Index begin, Index end) {
            for (Index r = begin; r < end; ++r) {
              if (r + 1 < rows) model.prefetch(x.row(first + r + 1));
              const RowSums<Real> nowhere{};
              scores[r] = Fm().score<MixedPieces<Real>>(x.row(first + r), model, nowhere);
            }
          });
        });
      },
      X);
}

template <class Real>
void backward(Real* linear, Real* factors, const MatrixView<Real>& X, const Real* slopes,
              const ModelView<Real>& model, int threads) {
  std::visit([&](const auto& x) { backward_of(linear, factors, x, slopes, model, threads); }, X);
}

template <class Real>
void adam_update(Real* theta, const Real* gradient, Real* m, Real* v, Index size, Index t,
                 const Settings& adam) {
  const AdamConstants constants(adam);
  const AdamStep<Real> step(constants, adam_rate(constants, adam["learning_rate"], t));
  MixedPieces<Real>::visit(size, [&]<class L>(Index first) {
    const Eigen::Map<const L> g(gradient + first);
    Eigen::Map<L> parameters(theta + first), means(m + first), squares(v + first);
    step.apply(parameters, means, squares, g);
  });
}

template void forward(float*, const MatrixView<float>&, Index, Index, const ModelView<float>&, int);
template void forward(double*, const MatrixView<double>&, Index, Index, const ModelView<double>&,
                      int);
template void backward(float*, float*, const MatrixView<float>&, const float*,
                       const ModelView<float>&, int);
template void backward(double*, double*, const MatrixView<double>&, const double*,
                       const ModelView<double>&, int);
template void adam_update(float*, const float*, float*, float*, Index, Index, const Settings&);
template void adam_update(double*, const double*, double*, double*, Index, Index, const Settings&);

}  // namespace sparsefm
