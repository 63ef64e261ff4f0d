// The contexts or the items: their features, positives, vectors and scores, and sums over them.
#pragma once

#include <Eigen/Core>
#include <numeric>
#include <utility>
#include <vector>

#include "../../solvers/gibbs/moments.hpp"
#include "../../solvers/gibbs/parameters.hpp"
#include "../../solvers/gibbs/tasks.hpp"

namespace sparsefm::all_pairs {

/// A matrix whose values are null if all are one.
template <class Real>
CsrView<const Real*> with_pointer(const MatrixView<Real>& X) {
  return std::visit(
      []<class Values>(const CsrView<Values>& view) {
        CsrView<const Real*> same{view.rows, view.features, view.offsets, view.columns, nullptr};
        if constexpr (std::is_pointer_v<Values>) same.values = view.values;
        return same;
      },
      X);
}

/// The columns of all rows of a matrix.
template <class Real>
gibbs::Columns<Real> columns_of(const MatrixView<Real>& X) {
  return std::visit(
      [](const auto& view) {
        std::vector<std::int32_t> places(view.rows);
        std::iota(places.begin(), places.end(), 0);
        return gibbs::columns_of<Real>(view, places, false);
      },
      X);
}

/// The columns of a matrix, as the rows of its transpose.
template <class Real>
CsrView<const Real*> transposed(const gibbs::Columns<Real>& columns) {
  return {columns.features, columns.rows, Offsets(columns.starts.data()), columns.row.data(),
          columns.values.empty() ? nullptr : columns.values.data()};
}

template <class Real>
Real value_at(const Real* values, Index p) noexcept {
  return values != nullptr ? values[p] : Real{1};
}

/// <p, q>, in whole vector registers.
template <class Pieces, class Real>
Real dot(const Real* p, const Real* q, Index given_width) noexcept {
  using L = Lanes<Real, gibbs::padding>;
  const Index width = Pieces::width(given_width);
  L sum = L::Zero();
  for (Index f = 0; f < width; f += gibbs::padding) {
    add_product<Real, gibbs::padding>(sum, Eigen::Map<const L>(p + f), Eigen::Map<const L>(q + f));
  }
  return sum.sum();
}

/// What a side's rows are like on the whole.
template <class Real>
struct Totals {
  double count = 0;
  std::vector<Real> mean;  // (width,): of the vectors
  Real mean_score = 0;
  Eigen::MatrixXd scatter;   // (width, width): S, see `all_pairs`
  Eigen::VectorXd slant;     // (width,): t
  double score_scatter = 0;  // sum (b_i - b)^2

  /// sum 1, sum b_i, sum b_i^2; and with the vectors for 1: sum q_i, sum b_i q_i, sum q_i q_i'.
  double scores() const noexcept { return count * mean_score; }
  double score_squares() const noexcept { return score_scatter + scores() * mean_score; }
  Eigen::VectorXd middle() const {
    return Eigen::Map<const Eigen::VectorX<Real>>(mean.data(), std::ssize(mean))
        .template cast<double>();
  }
  Eigen::VectorXd vectors() const { return count * middle(); }
  Eigen::VectorXd products() const { return slant + scores() * middle(); }
  Eigen::MatrixXd squares() const { return scatter + vectors() * middle().transpose(); }
};

template <class Real>
class Side {
 public:
  /// `positives`: of each row the rows of the other side, with their weights.
  Side(const MatrixView<Real>& X, const CsrView<const Real*>& positives, Index width)
      : X_(with_pointer(X)),
        positives_(positives),
        columns_(all_pairs::columns_of(X)),
        width_(width),
        vectors_(X_.rows * width),
        scores_(X_.rows) {
    std::vector<std::vector<Feature>> occurring(1);
    for (Index j = 0; j < columns_.features; ++j) {
      if (columns_.size(j) > 0) occurring[0].push_back(static_cast<Feature>(j));
    }
    const Index unit = 1 + (positives_.nonzeros() + rows()) / most_work;
    const std::int32_t all = 0;
    for (const auto& members : gibbs::classes_of(columns_, occurring, {&all, 1})) {
      classes_.emplace_back(columns_, members, [&](Feature j) { return work_of(j) / unit; });
    }
  }

  Index rows() const noexcept { return X_.rows; }
  const gibbs::Columns<Real>& columns() const noexcept { return columns_; }
  const std::vector<gibbs::ClassTasks>& classes() const noexcept { return classes_; }
  const CsrView<const Real*>& positives() const noexcept { return positives_; }
  const Totals<Real>& totals() const noexcept { return totals_; }

  Real* vector(Index row, Index known_width) noexcept {
    return vectors_.data() + row * known_width;
  }
  const Real* vector(Index row, Index known_width) const noexcept {
    return vectors_.data() + row * known_width;
  }
  Real& score(Index row) noexcept { return scores_[row]; }
  Real score(Index row) const noexcept { return scores_[row]; }

  void prefetch(Index row) const noexcept {
    sparsefm::prefetch(&scores_[row]);
    for (Index f = 0; f < width_; f += cache_line / Index{sizeof(Real)}) {
      sparsefm::prefetch(vector(row, width_) + f);
    }
  }

  /// The most tasks in a loop over features.
  Index most_tasks() const noexcept {
    Index most = 1;
    for (const auto& tasks : classes_) {
      most = std::max<Index>(most, std::ssize(tasks.batches) + tasks.tasks_of_chunks());
    }
    return most;
  }

  /// Computes the vectors and scores from the parameters.
  template <class Pieces>
  void read(Team& team, const gibbs::Parameters<Real>& parameters, Real w0) {
    const Index width = Pieces::width(width_);
    team.for_blocks(rows(), 256, [&](Index, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        Real* p = vector(r, width);
        std::fill_n(p, width, Real{0});
        Real sum = 0;
        for (Index n = X_.offsets[r]; n < X_.offsets[r + 1]; ++n) {
          const Index j = X_.columns[n];
          const Real x = value_at(X_.values, n);
          const Real* v = parameters.v(j);
          Pieces::visit(width, [&]<class L>(Index f) {
            Eigen::Map<L>(p + f) += x * Eigen::Map<const L>(v + f);
          });
          sum += parameters.own_score(j, x);
        }
        score(r) = w0 + (sum + dot<Pieces>(p, p, width) / 2);
      }
    });
  }

  /// Computes the totals: of blocks, joined in their order.
  template <class Pieces>
  void sum_up(Team& team) {
    const Index block = std::max<Index>(1024, (rows() + 63) / 64);
    const Index blocks = (rows() + block - 1) / block, width = Pieces::width(width_);
    Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(width + 1, blocks);
    team.for_blocks(rows(), block, [&](Index b, Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        sums.col(b).head(width) +=
            Eigen::Map<const Eigen::VectorX<Real>>(vector(r, width), width).template cast<double>();
        sums(width, b) += score(r);
      }
    });
    totals_.count = static_cast<double>(rows());
    const Eigen::VectorXd mean = sums.rowwise().sum() / std::max(totals_.count, 1.0);
    totals_.mean.resize(width);
    for (Index f = 0; f < width; ++f) totals_.mean[f] = static_cast<Real>(mean[f]);
    totals_.mean_score = static_cast<Real>(mean[width]);

    const Index size = gibbs::MomentsView::size(width);
    std::vector<double> moments(std::max<Index>(blocks, 1) * size);
    std::vector<double> score_scatters(blocks);
    team.for_blocks(rows(), block, [&](Index b, Index begin, Index end) {
      const gibbs::MomentsView own(moments.data() + b * size, width);
      score_scatters[b] = add_deviations<Pieces>(own, begin, end);
    });
    const gibbs::MomentsView all(moments.data(), width);
    for (Index b = 1; b < blocks; ++b) all.add({moments.data() + b * size, width});
    const Eigen::Map<const Eigen::Matrix<double, -1, -1, Eigen::RowMajor>> lower(all.hh(), width,
                                                                                 width);
    totals_.scatter = lower.template selfadjointView<Eigen::Lower>();
    totals_.slant = Eigen::Map<const Eigen::VectorXd>(all.he(), width);
    totals_.score_scatter = std::accumulate(score_scatters.begin(), score_scatters.end(), 0.0);
  }

 private:
  static constexpr Index most_work = 1 << 20;  // of a class: more would be many chunks, with sums

  /// What is added to the sums of a feature: the positives of its rows, and one for all pairs.
  Index work_of(Index j) const noexcept {
    Index work = columns_.size(j);
    for (Index n = columns_.starts[j]; n < columns_.starts[j + 1]; ++n) {
      const Index row = columns_.row[n];
      work += positives_.offsets[row + 1] - positives_.offsets[row];
    }
    return work;
  }

  /// Adds the products of what rows [begin, end) are off the means; returns the squares of scores.
  template <class Pieces>
  double add_deviations(const gibbs::MomentsView& moments, Index begin, Index end) const {
    const Index width = Pieces::width(width_);
    gibbs::Tile<Real> tile(width);  // where all x are one
    const auto to = tile.view();
    double squares = 0;
    for (Index first = begin; first < end; first += gibbs::Tile<Real>::rows) {
      const Index size = std::min(gibbs::Tile<Real>::rows, end - first);
      for (Index i = 0; i < size; ++i) {
        const Real off = score(first + i) - totals_.mean_score;
        squares += static_cast<double>(off) * off;
        to.we[i] = off;
        Pieces::visit(width, [&]<class L>(Index f) {
          Eigen::Map<L>(to.factors + i * width + f) =
              Eigen::Map<const L>(vector(first + i, width) + f) -
              Eigen::Map<const L>(totals_.mean.data() + f);
        });
      }
      tile.template add_to<Pieces>(moments, size, false);
    }
    return squares;
  }

  CsrView<const Real*> X_, positives_;  // values: null if all are one
  gibbs::Columns<Real> columns_;
  std::vector<gibbs::ClassTasks> classes_;
  Index width_;
  gibbs::LineArray<Real> vectors_;  // (rows, width)
  gibbs::LineArray<Real> scores_;   // (rows,)
  Totals<Real> totals_;
};

}  // namespace sparsefm::all_pairs
