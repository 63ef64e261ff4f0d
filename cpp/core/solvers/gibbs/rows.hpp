// What a sweep keeps for each row: q_r and e_r, computed from the parameters at its beginning.
#pragma once

#include <numeric>
#include <vector>

#include "../../registers.hpp"
#include "columns.hpp"
#include "cuts.hpp"
#include "distributions.hpp"
#include "likelihoods.hpp"
#include "parameters.hpp"

namespace sparsefm::gibbs {

struct ResidualSums {
  double e = 0;       // sum omega e
  double square = 0;  // sum omega e^2

  friend ResidualSums operator+(const ResidualSums& a, const ResidualSums& b) noexcept {
    return {a.e + b.e, a.square + b.square};
  }
};

/// The arrays of the rows. Loops copy it: after each write the compiler would read members again.
template <class Real>
struct RowsView {
  Real* q;            // (rows, width); not there if rows are paired
  Real* e;            // (rows,)
  const Real* omega;  // (rows,) or null: all one
  Index width;        // of q

  Real weight(Index place) const noexcept { return omega == nullptr ? Real{1} : omega[place]; }

  void prefetch(Index place) const noexcept { sparsefm::prefetch(e + place); }
};

/// What a row's entity adds to q_r and to its score.
template <class Real>
struct EntityScores {
  const std::int32_t* entities;  // (rows,): of each row
  const Real* sums;              // (entities, width)
  const Real* own;               // (entities,)
  Index width;

  const Real* sum(Index r) const noexcept { return sums + entities[r] * width; }
};

template <class Real>
class Rows {
 public:
  Rows(const Columns<Real>& columns, std::span<const std::int32_t> places, const Real* targets,
       const Real* weights, Index width)
      : columns_(columns),
        places_(places),
        targets_(targets),
        width_(columns.paired() ? 0 : width),
        q_(columns.rows * width_),
        e_(columns.rows),
        omega_(weights == nullptr ? 0 : columns.rows),
        weighted_(weights != nullptr),
        total_weight_(static_cast<double>(columns.rows)) {
    if (!weighted_) return;
    total_weight_ = 0;
    for (std::size_t r = 0; r < places.size(); ++r) {
      if (places[r] < 0) continue;
      omega_[places[r]] = weights[r];
      total_weight_ += weights[r];
    }
  }

  Index size() const noexcept { return columns_.rows; }
  double total_weight() const noexcept { return total_weight_; }
  RowsView<Real> view() noexcept {
    return {q_.data(), e_.data(), weighted_ ? omega_.data() : nullptr, width_};
  }

  /// q = X V and e = target - score, from the parameters. Goes through the rows of X in their own
  /// order, as two neighbours share a block of random numbers.
  template <class Pieces, class Likelihood, class Values>
  ResidualSums compute(Team& team, const CsrView<Values>& X,
                       std::span<const EntityScores<Real>> relations,
                       const Parameters<Real>& parameters, const Randoms& randoms) {
    const auto rows = view();
    return sum_over_blocks(team, X.rows, [&, rows](Index begin, Index end) {
      ResidualSums sums;
      Pair uniforms{};  // NOLINT(misc-const-correctness): changed where targets are latent
      std::vector<Real> unkept(width_ == 0 ? parameters.width() : 0);
      for (Index r = begin; r < end; ++r) {
        if constexpr (Likelihood::latent) {
          if (r % 2 == 0) uniforms = randoms.uniforms(r / 2, 0);
        }
        if (r + ahead < end && places_[r + ahead] >= 0) {
          prefetch(rows.q + places_[r + ahead] * rows.width);
        }
        const auto place = places_[r];
        if (place < 0) continue;
        Real* q = rows.width == 0 ? unkept.data() : rows.q + place * rows.width;
        const Real s = score<Pieces>(X.row(r), r, relations, parameters, q);
        const double weight = rows.weight(place);
        const double e =
            Likelihood::residual(targets_[r], s, weight, r % 2 == 0 ? uniforms.a : uniforms.b);
        rows.e[place] = static_cast<Real>(e);
        sums = sums + ResidualSums{weight * e, weight * e * e};
      }
      return sums;
    });
  }

  /// The sums of the log likelihood of cuts, but for rows of the first class, which ends at 0
  /// whatever the cuts are; e is minus the score.
  CutSums cut_sums(Team& team, std::span<const double> cuts) {
    const auto rows = view();
    const Ordinal likelihood{cuts};
    const auto n = static_cast<Index>(places_.size());
    std::vector<CutSums> of_blocks((n + cuts_block - 1) / cuts_block, CutSums(cuts.size()));
    team.for_blocks(n, cuts_block, [&, rows](Index number, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const auto place = places_[r];
        if (place < 0 || targets_[r] == 0) continue;
        of_blocks[number].add(
            static_cast<std::size_t>(targets_[r]),
            likelihood.logarithm(targets_[r], -rows.e[place], rows.weight(place)));
      }
    });
    CutSums sums(cuts.size());
    for (const auto& of_block : of_blocks) sums += of_block;
    return sums;
  }

  /// Draws latent targets between cuts: e was minus the score, and becomes target - score.
  ResidualSums draw_targets(Team& team, const Ordinal& likelihood, const Randoms& randoms) {
    const auto rows = view();
    const auto n = static_cast<Index>(places_.size());
    return sum_over_blocks(team, n, [&, rows](Index begin, Index end) {
      ResidualSums sums;
      Pair uniforms{};
      for (Index r = begin; r < end; ++r) {
        if (r % 2 == 0) uniforms = randoms.uniforms(r / 2, 0);
        const auto place = places_[r];
        if (place < 0) continue;
        const double weight = rows.weight(place);
        const double e = likelihood.drawn_residual(targets_[r], -rows.e[place], weight,
                                                   r % 2 == 0 ? uniforms.a : uniforms.b);
        rows.e[place] = static_cast<Real>(e);
        sums = sums + ResidualSums{weight * e, weight * e * e};
      }
      return sums;
    });
  }

  /// Subtracts a number from all residuals; returns the new sums.
  ResidualSums shift(Team& team, Real change) {
    const auto rows = view();
    return sum_over_blocks(team, size(), [&, rows](Index begin, Index end) {
      ResidualSums sums;
      for (Index place = begin; place < end; ++place) {
        rows.e[place] -= change;
        const double e = rows.e[place], weight = rows.weight(place);
        sums = sums + ResidualSums{weight * e, weight * e * e};
      }
      return sums;
    });
  }

 private:
  static constexpr Index block = 256;        // rows; it determines the order of addition
  static constexpr Index cuts_block = 2048;  // likewise; each has three numbers for each cut
  static constexpr Index ahead = 8;          // rows to prefetch ahead

  template <class Sum>
  ResidualSums sum_over_blocks(Team& team, Index rows, const Sum& sum) {
    block_sums_.resize((rows + block - 1) / block);
    team.for_blocks(rows, block, [&](Index number, Index begin, Index end) {
      block_sums_[number] = sum(begin, end);
    });
    return std::accumulate(block_sums_.begin(), block_sums_.end(), ResidualSums{});
  }

  /// s_r, and q_r:  s = w0 + sum_j w_j x_rj + 1/2 (|q|^2 - sum_j |v_j|^2 x_rj^2)
  template <class Pieces, class Values>
  static Real score(const CsrRow<Values>& row, Index r,
                    std::span<const EntityScores<Real>> relations,
                    const Parameters<Real>& parameters, Real* q) noexcept {
    const Index width = Pieces::width(parameters.width());
    const Real* V = parameters.v(0);
    Real own = 0, squares = 0;
    for (const auto& relation : relations) own += relation.own[relation.entities[r]];
    const auto add_own = [&](Index p) {
      own += parameters.own_score(row.features[p], row.values[p]);
    };
    if (width == 0) {
      for (Index p = 0; p < row.size; ++p) add_own(p);
    }
    Pieces::visit(width, [&]<class L>(Index f) {
      const auto v = [&](Index p) {
        return row.values[p] * Eigen::Map<const L>(V + row.features[p] * width + f);
      };
      L even = L::Zero(), odd = even;  // additions wait for each other
      for (Index p = 0; p < row.size; ++p) {
        if (p % 2 == 0) {
          even += v(p);
        } else {
          odd += v(p);
        }
        if (f == 0) add_own(p);
      }
      for (const auto& relation : relations) odd += Eigen::Map<const L>(relation.sum(r) + f);
      const L sum = even + odd;
      Eigen::Map<L>(q + f) = sum;
      squares += sum.square().sum();
    });
    return parameters.w0() + (own + squares / 2);
  }

  const Columns<Real>& columns_;
  std::span<const std::int32_t> places_;  // (rows of X)
  const Real* targets_;
  Index width_;        // of q: 0 if it is not needed
  LineArray<Real> q_;  // (rows, width)
  LineArray<Real> e_, omega_;
  bool weighted_;
  double total_weight_;
  std::vector<ResidualSums> block_sums_;
};

}  // namespace sparsefm::gibbs
