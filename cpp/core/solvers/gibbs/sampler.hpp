// A sweep of the Gibbs sampler. The model is
//
//   s_r = w0 + sum_j w_j x_rj + sum_{j<l} <v_j, v_l> x_rj x_rl,     theta_j = (w_j, v_j)
//   theta_jc ~ N(mu_fc, 1 / lambda_fc) for the features j of field f,   w0 ~ N(0, 1 / precision)
//
// with a likelihood of `likelihoods.hpp`. Every random number has a counter, every parameter one
// writer and every sum a fixed order, so a chain is the same bits on any number of threads.
#pragma once

#include <cmath>
#include <mutex>
#include <stdexcept>

#include "feature_pass.hpp"
#include "hyperparameters.hpp"
#include "likelihoods.hpp"
#include "relation.hpp"

namespace sparsefm::gibbs {

template <class Real, class Values, class Likelihood>
class Sampler final : public Gibbs<Real> {
 public:
  Sampler(const CsrView<Values>& X, Relations<Real> relations, const Real* targets,
          const Real* weights, std::span<const std::int32_t> fields, const Settings& settings,
          const ChainView<Real>& chain)
      : X_(X),
        chain_(chain),
        sample_(settings["sample"] != 0),
        prior_{settings["alpha0"], settings["beta0"], settings["gamma0"]},
        bias_precision_(settings["bias_precision"]),
        gap_precision_(Likelihood::ordered ? settings["gap_precision"] : 0),
        layout_(layout_of(X, relations, weights, fields, chain.fields)),
        columns_(columns_of<Real>(X, layout_.places, relations.empty())),
        parameters_(chain),
        rows_(columns_, layout_.places, targets, weights, parameters_.width()) {
    if (Likelihood::latent && !sample_) {
      throw std::invalid_argument(std::string(Likelihood::name) + " can only be sampled");
    }
    relations_.reserve(relations.size());
    for (std::size_t n = 0; n < relations.size(); ++n) {
      relations_.emplace_back(relations[n], layout_, n, parameters_.width());
      entity_scores_.push_back(relations_.back().scores());
    }
    for (const auto& members :
         classes_of(columns_, layout_.features_of, layout_.fields_of.back())) {
      classes_.emplace_back(columns_, members);
    }
  }

  double sweep(Index t, int threads) override {
    const std::scoped_lock lock(mutex_);
    double squares = 0;
    with_known_pieces<Real>(parameters_.width(), [&]<class Pieces>(Pieces) {
      with_team(size_of_team(threads), [&](Team& team) { squares = sweep<Pieces>(team, t); });
    });
    return squares;
  }

 private:
  int size_of_team(int threads) const noexcept {
    Index longest = X_.rows / 1024;
    for (const auto& tasks : classes_) {
      longest = std::max<Index>(longest,
                                static_cast<Index>(tasks.batches.size()) + tasks.tasks_of_chunks());
    }
    Index entries = columns_.starts.back();
    for (const auto& relation : relations_) {
      longest = std::max(longest, relation.most_tasks());
      entries += X_.rows;  // at least
    }
    const Index size = parameters_.size();
    return team_size(threads, longest, entries * size * size / 2);
  }

  template <class Pieces>
  double sweep(Team& team, Index t) {
    parameters_.read(team);
    for (auto& relation : relations_) relation.template read<Pieces>(team, parameters_);
    auto sums = rows_.template compute<Pieces, Likelihood>(team, X_, entity_scores_, parameters_,
                                                           randoms(t, Stage::latent));
    require_finite(sums);
    if constexpr (Likelihood::ordered) {
      draw_cuts(chain_.cuts, gap_precision_, randoms(t, Stage::cuts),
                [&](std::span<const double> cuts) { return rows_.cut_sums(team, cuts); });
      sums = rows_.draw_targets(team, {chain_.cuts}, randoms(t, Stage::latent));
      require_finite(sums);
    }
    if (sample_ && !Likelihood::latent) {
      *chain_.alpha = draw_precision(randoms(t, Stage::noise), 0, prior_,
                                     static_cast<double>(rows_.size()), sums.square);
    }
    draw_bias(team, t, sums);
    if (sample_ && t >= 1) draw_hyperparameters(team, t);

    const Conditions conditions{*chain_.alpha, chain_.means, chain_.precisions, sample_,
                                randoms(t, Stage::features)};
    for (auto& relation : relations_) {
      relation.template draw<Pieces>(team, rows_, parameters_, conditions);
    }
    draw_features<Real, Values, Pieces>(team, columns_, rows_, parameters_, conditions, classes_);
    sums = rows_.shift(team, 0);
    require_finite(sums);
    return sums.square;
  }

  /// w0 + N(b / P, 1 / P), with P = alpha sum omega + the prior's precision.
  void draw_bias(Team& team, Index t, const ResidualSums& sums) {
    const double precision = *chain_.alpha * rows_.total_weight() + bias_precision_;
    const double w0 = *chain_.w0;
    const double noise = sample_ ? normals(randoms(t, Stage::bias), 0, 0).a : 0;
    const double change =
        (*chain_.alpha * sums.e - bias_precision_ * w0) / precision + noise / std::sqrt(precision);
    const Real next = static_cast<Real>(w0 + change);
    if (!std::isfinite(next)) throw_overflow();
    rows_.shift(team, next - *chain_.w0);
    parameters_.set_w0(next);
  }

  void draw_hyperparameters(Team& team, Index t) {
    team.for_each(chain_.fields, [&](Index field, int) {
      const Index first = field * parameters_.size();
      gibbs::draw_hyperparameters<Real>(parameters_, layout_.features_of[field], field, prior_,
                                        randoms(t, Stage::hyperparameters), chain_.means + first,
                                        chain_.precisions + first);
    });
  }

  Randoms randoms(Index t, Stage stage) const noexcept {
    return {chain_.seed, chain_.chain, t, stage};
  }

  static void require_finite(const ResidualSums& sums) {
    if (!std::isfinite(sums.e) || !std::isfinite(sums.square)) throw_overflow();
  }

  [[noreturn]] static void throw_overflow() {
    throw std::overflow_error(
        "the residuals are not finite: the data, parameters or weights are "
        "too large");
  }

  CsrView<Values> X_;
  ChainView<Real> chain_;
  bool sample_;
  Hyperprior prior_;
  double bias_precision_, gap_precision_;
  Layout layout_;
  Columns<Real> columns_;
  Parameters<Real> parameters_;
  Rows<Real> rows_;
  std::vector<Relation<Real>> relations_;
  std::vector<EntityScores<Real>> entity_scores_;  // of each relation
  std::vector<ClassTasks> classes_;
  std::mutex mutex_;  // a chain makes one sweep at a time
};

template <class Real>
std::unique_ptr<Gibbs<Real>> make_gibbs(const MatrixView<Real>& X, Relations<Real> relations,
                                        const Real* targets, const Real* weights,
                                        std::span<const std::int32_t> fields,
                                        const Settings& settings, const ChainView<Real>& chain) {
  std::unique_ptr<Gibbs<Real>> gibbs;
  Likelihoods::visit(settings.name, [&]<class Likelihood> {
    std::visit(
        [&]<class Values>(const CsrView<Values>& view) {
          gibbs = std::make_unique<Sampler<Real, Values, Likelihood>>(
              view, relations, targets, weights, fields, settings, chain);
        },
        X);
  });
  return gibbs;
}

}  // namespace sparsefm::gibbs
