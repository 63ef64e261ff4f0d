#include "all_pairs.hpp"

#include <cmath>
#include <mutex>
#include <stdexcept>

#include "../../solvers/gibbs/feature_pass.hpp"
#include "pair_rows.hpp"

namespace sparsefm::all_pairs {
namespace {

/// Over some pairs: of 1, of target - s, and of its square.
struct ResidualSums {
  double weight = 0, residual = 0, square = 0;
};

template <class Real>
class Solver final : public AllPairs<Real> {
 public:
  Solver(const MatrixView<Real>& contexts, const MatrixView<Real>& items,
         const MatrixView<Real>& positives, const AllPairsView<Real>& view)
      : view_(view),
        parameters_(chain_of(view)),
        positives_of_items_(columns_of(positives)),
        contexts_(contexts, with_pointer(positives), parameters_.width()),
        items_(items, transposed(positives_of_items_), parameters_.width()),
        nothing_(parameters_.size()) {}

  double epoch(int threads) override { return run(threads, true); }
  double objective(int threads) override { return run(threads, false); }

 private:
  static gibbs::ChainView<Real> chain_of(const AllPairsView<Real>& view) {
    gibbs::ChainView<Real> chain;
    chain.w0 = view.w0;
    chain.w = view.w;
    chain.V = view.V;
    chain.features = view.features;
    chain.rank = view.rank;
    return chain;
  }

  double run(int threads, bool improve) {
    const std::scoped_lock lock(mutex_);
    const Index longest = std::max(contexts_.most_tasks(), items_.most_tasks());
    const Index rows = contexts_.rows() + items_.rows() + 2 * contexts_.positives().nonzeros();
    const Index size = parameters_.size();
    double objective = 0;
    with_known_pieces<Real>(parameters_.width(), [&]<class Pieces>(Pieces) {
      with_team(team_size(threads, longest, rows * size * size / 2),
                [&](Team& team) { objective = run<Pieces>(team, improve); });
    });
    if (!std::isfinite(objective)) {
      throw std::overflow_error(
          "the scores are not finite: the data, parameters or weights are too large");
    }
    return objective;
  }

  template <class Pieces>
  double run(Team& team, bool improve) {
    parameters_.read(team);
    contexts_.template read<Pieces>(team, parameters_, parameters_.w0());
    items_.template read<Pieces>(team, parameters_, Real{0});
    items_.template sum_up<Pieces>(team);
    if (improve) update_features<Pieces>(team, contexts_, items_);
    contexts_.template sum_up<Pieces>(team);
    if (improve) {
      update_features<Pieces>(team, items_, contexts_);
      items_.template sum_up<Pieces>(team);
    }
    const auto positive = sums_over_positives<Pieces>(team), all = sums_over_all();
    const double change = improve ? update_bias(positive, all) : 0;
    return shifted_square(positive, change) + view_.alpha * shifted_square(all, change) + penalty();
  }

  /// The best parameters of each feature of a side. They have no distribution a priori: a penalty
  /// is one of the sums.
  template <class Pieces>
  void update_features(Team& team, Side<Real>& own, const Side<Real>& other) {
    if (other.rows() == 0) return;
    const gibbs::Conditions conditions{1, nothing_.data(), nothing_.data(), false,
                                       gibbs::Randoms(0, 0, 0, gibbs::Stage::features)};
    using Pairs = PairRows<Real, Pieces>;
    const Pairs pairs(own, other, parameters_, view_.penalties, view_.alpha);
    gibbs::FeaturePass<Real, Pairs>(own.columns(), pairs, parameters_, conditions, team.size())
        .draw(team, own.classes());
  }

  /// Changes w0 by the weighted mean of the residuals; returns the change.
  double update_bias(const ResidualSums& positive, const ResidualSums& all) {
    const double weight = positive.weight + view_.alpha * all.weight;
    if (!(weight > 0)) return 0;
    const Real w0 = parameters_.w0();
    const double sum = positive.residual + view_.alpha * all.residual;
    const Real next = static_cast<Real>(w0 + sum / weight);
    if (!std::isfinite(next)) return sum;  // so the objective is not finite either
    parameters_.set_w0(next);
    return static_cast<double>(next) - w0;
  }

  /// sum (target - s - change)^2
  static double shifted_square(const ResidualSums& sums, double change) noexcept {
    return sums.square - 2 * change * sums.residual + change * change * sums.weight;
  }

  template <class Pieces>
  ResidualSums sums_over_positives(Team& team) const {
    constexpr Index block = 256;
    const Index width = Pieces::width(parameters_.width());
    const auto& positives = contexts_.positives();
    std::vector<ResidualSums> parts((contexts_.rows() + block - 1) / block);
    team.for_blocks(contexts_.rows(), block, [&](Index part, Index begin, Index end) {
      ResidualSums sums;
      for (Index c = begin; c < end; ++c) {
        const Real* p = contexts_.vector(c, width);
        for (Index m = positives.offsets[c]; m < positives.offsets[c + 1]; ++m) {
          const Index i = positives.columns[m];
          const double omega = value_at(positives.values, m);
          const double residual = 1.0 - (contexts_.score(c) + items_.score(i) +
                                         dot<Pieces>(p, items_.vector(i, width), width));
          sums.weight += omega;
          sums.residual += omega * residual;
          sums.square += omega * residual * residual;
        }
      }
      parts[part] = sums;
    });
    ResidualSums all;
    for (const auto& part : parts) {
      all.weight += part.weight;
      all.residual += part.residual;
      all.square += part.square;
    }
    return all;
  }

  /// Where all targets are zero. As s_ci = <(p_c, a_c, 1), (q_i, 1, b_i)>, sums over pairs are
  /// products of sums over sides.
  ResidualSums sums_over_all() const {
    const auto& c = contexts_.totals();
    const auto& i = items_.totals();
    const double sum = c.vectors().dot(i.vectors()) + c.scores() * i.count + c.count * i.scores();
    const double squares = c.squares().cwiseProduct(i.squares()).sum() +
                           2 * c.products().dot(i.vectors()) + 2 * c.vectors().dot(i.products()) +
                           c.score_squares() * i.count + 2 * c.scores() * i.scores() +
                           c.count * i.score_squares();
    return {c.count * i.count, -sum, squares};
  }

  double penalty() const noexcept {
    double sum = 0;
    for (Index j = 0; j < view_.features; ++j) {
      double squares = 0;
      for (Index c = 0; c < parameters_.size(); ++c) {
        const double theta = parameters_.theta(j, c);
        squares += theta * theta;
      }
      sum += view_.penalties[j] * squares;
    }
    return sum;
  }

  AllPairsView<Real> view_;
  gibbs::Parameters<Real> parameters_;
  gibbs::Columns<Real> positives_of_items_;
  Side<Real> contexts_, items_;
  std::vector<double> nothing_;  // (1 + rank,): zeros
  std::mutex mutex_;             // one epoch at a time
};

}  // namespace

template <class Real>
std::unique_ptr<AllPairs<Real>> make_all_pairs(const MatrixView<Real>& contexts,
                                               const MatrixView<Real>& items,
                                               const MatrixView<Real>& positives,
                                               const AllPairsView<Real>& view) {
  return std::make_unique<Solver<Real>>(contexts, items, positives, view);
}

template std::unique_ptr<AllPairs<float>> make_all_pairs(const MatrixView<float>&,
                                                         const MatrixView<float>&,
                                                         const MatrixView<float>&,
                                                         const AllPairsView<float>&);
template std::unique_ptr<AllPairs<double>> make_all_pairs(const MatrixView<double>&,
                                                          const MatrixView<double>&,
                                                          const MatrixView<double>&,
                                                          const AllPairsView<double>&);

}  // namespace sparsefm::all_pairs
