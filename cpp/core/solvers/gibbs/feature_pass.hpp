// The features' parameters, class by class. For each feature j of a class:
//
//   gather   G and b, from its rows           (`feature_rows.hpp`, or `entity_rows.hpp`)
//   draw     delta from their Gaussian        (`block_conditional.hpp`)
//   update   its rows and theta_j += delta
//
// Rare features do all three in one task; for frequent ones each is a loop over chunks.
#pragma once

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "block_conditional.hpp"
#include "feature_rows.hpp"
#include "tasks.hpp"

namespace sparsefm::gibbs {

/// What the conditionals depend on besides the rows.
struct Conditions {
  double alpha;
  const double* means;       // (fields, size of theta)
  const double* precisions;  // (fields, size of theta)
  bool sample;               // whether to add noise
  Randoms randoms;
};

/// `RowsOf`: what gathers and updates.
template <class Real, class RowsOf>
class FeaturePass {
 public:
  FeaturePass(const Columns<Real>& columns, const RowsOf& rows, Parameters<Real>& parameters,
              const Conditions& conditions, int members)
      : columns_(columns),
        rows_(rows),
        parameters_(parameters),
        conditions_(conditions),
        width_(parameters.width()),
        size_(parameters.size()) {
    workers_.reserve(members);
    for (int member = 0; member < members; ++member) workers_.emplace_back(width_, size_ - 1);
  }

  /// Draws the parameters of all features.
  void draw(Team& team, const std::vector<ClassTasks>& classes) {
    const ClassTasks* previous = nullptr;  // its frequent features' rows are not updated yet
    for (const auto& tasks : classes) {
      const bool fused = previous != nullptr && previous->blocked() && tasks.blocked();
      if (!fused) update_frequent(team, previous);
      draw_rare_and_gather(team, tasks, fused ? previous : nullptr);
      draw_frequent(team, tasks);
      previous = &tasks;
    }
    update_frequent(team, previous);
  }

 private:
  static constexpr int lanes = ClassTasks::batch_size;
  using Conditional = BlockConditional<lanes>;

  // Pivots have fewer good digits than the sums they are left over from.
  static constexpr double float_tolerance = 1e-4;
  static constexpr double double_tolerance = 1e-12;
  static constexpr bool is_float = std::is_same_v<Real, float>;
  static constexpr double tolerance = is_float ? float_tolerance : double_tolerance;

  /// The scratch memory of a thread.
  struct Worker {
    Worker(Index width, Index rank)
        : tile(width), moments(MomentsView::size(width)), conditional(rank), change(width + 1) {}
    Tile<Real> tile;
    std::vector<double> moments;
    Conditional conditional;
    std::vector<Real> change;  // of v, padded, and of w
  };

  MomentsView chunk_moments(Index chunk) noexcept {
    return {chunk_moments_.data() + chunk * MomentsView::size(width_), width_};
  }
  Real* frequent_change(Index n) noexcept { return changes_.data() + n * (width_ + 1); }
  Range all_rows(Feature j) const noexcept { return {columns_.starts[j], columns_.starts[j + 1]}; }

  /// Tasks may begin with what is left to do for another class.
  void draw_rare_and_gather(Team& team, const ClassTasks& tasks, const ClassTasks* previous) {
    const Index of_chunks = tasks.tasks_of_chunks();
    chunk_moments_.resize(std::max<std::size_t>(chunk_moments_.size(),
                                                tasks.chunks.size() * MomentsView::size(width_)));
    team.for_each(of_chunks + static_cast<Index>(tasks.batches.size()),
                  [&](Index task, int member) {
                    auto& worker = workers_[member];
                    if (task >= of_chunks) {
                      draw_batch(worker, tasks, tasks.batches[task - of_chunks]);
                      return;
                    }
                    if (previous != nullptr) update_chunks(*previous, task);
                    tasks.for_chunks(task, [&](Index chunk) {
                      const auto& [n, occurrences] = tasks.chunks[chunk];
                      rows_.gather(worker.tile, chunk_moments(chunk), tasks.frequent[n],
                                   occurrences, tasks.blocked());
                    });
                  });
  }

  void draw_batch(Worker& worker, const ClassTasks& tasks, const Range& batch) {
    const MomentsView moments(worker.moments.data(), width_);
    const Feature* features = tasks.rare.data() + batch.begin;
    const int size = static_cast<int>(batch.end - batch.begin);
    for (int lane = 0; lane < size; ++lane) {
      rows_.gather(worker.tile, moments, features[lane], all_rows(features[lane]));
      set(worker.conditional, lane, tasks.field, features[lane], moments);
    }
    worker.conditional.draw(tolerance);
    for (int lane = 0; lane < size; ++lane) {
      Real* change = worker.change.data();
      take_change(worker.conditional, lane, tasks.field, features[lane], change);
      update_parameters(features[lane], change);
      rows_.update(features[lane], all_rows(features[lane]), change);
    }
  }

  /// Draws from the sums of the chunks; leaves the rows as they are.
  void draw_frequent(Team& team, const ClassTasks& tasks) {
    const auto features = static_cast<Index>(tasks.frequent.size());
    changes_.resize(features * (width_ + 1));
    team.for_each((features + lanes - 1) / lanes, [&](Index batch, int member) {
      Conditional& conditional = workers_[member].conditional;
      const Index first = batch * lanes, last = std::min(first + lanes, features);
      for (Index n = first; n < last; ++n) {
        const auto [begin, end] = tasks.chunks_of[n];
        for (Index chunk = begin + 1; chunk < end; ++chunk) {
          chunk_moments(begin).add(chunk_moments(chunk));
        }
        set(conditional, static_cast<int>(n - first), tasks.field, tasks.frequent[n],
            chunk_moments(begin));
      }
      conditional.draw(tolerance);
      for (Index n = first; n < last; ++n) {
        const Feature j = tasks.frequent[n];
        take_change(conditional, static_cast<int>(n - first), tasks.field, j, frequent_change(n));
        update_parameters(j, frequent_change(n));
      }
    });
  }

  void update_frequent(Team& team, const ClassTasks* tasks) {
    if (tasks == nullptr) return;
    team.for_each(tasks->tasks_of_chunks(), [&](Index task, int) { update_chunks(*tasks, task); });
  }

  void update_chunks(const ClassTasks& tasks, Index task) noexcept {
    tasks.for_chunks(task, [&](Index chunk) {
      const auto& [n, occurrences] = tasks.chunks[chunk];
      rows_.update(tasks.frequent[n], occurrences, frequent_change(n));
    });
  }

  template <class C>
  void set(C& conditional, int lane, std::int32_t field, Feature j,
           const MomentsView& moments) const noexcept {
    const Prior prior{conditions_.precisions + field * size_, conditions_.means + field * size_};
    conditional.set(lane, moments, width_, conditions_.alpha, prior,
                    [&](Index c) { return static_cast<double>(parameters_.theta(j, c)); });
    if (!conditions_.sample) return;
    for (Index c = 0; c < size_; c += 2) {
      const auto xi = normals(conditions_.randoms, j, static_cast<Word>(c / 2));
      conditional.noise(lane, c) = xi.a;
      if (c + 1 < size_) conditional.noise(lane, c + 1) = xi.b;
    }
  }

  /// What theta changes by: the drawn delta, as far as the new theta can hold it.
  void take_change(const Conditional& conditional, int lane, std::int32_t field, Feature j,
                   Real* change) {
    if (conditional.good(lane)) {
      set_change(conditional, lane, j, change);
      return;
    }
    if constexpr (is_float) {  // draw it again from sums in double
      std::vector<double> sums(MomentsView::size(width_));
      const MomentsView moments(sums.data(), width_);
      rows_.gather_in_double(moments, j);
      BlockConditional<1> alone(size_ - 1);
      set(alone, 0, field, j, moments);
      alone.draw(double_tolerance);
      if (alone.good(0)) {
        set_change(alone, 0, j, change);
        return;
      }
    }
    throw_too_large();
  }

  template <class C>
  void set_change(const C& conditional, int lane, Feature j, Real* change) const {
    std::fill_n(change, width_, Real{0});
    for (Index c = 0; c < size_; ++c) {
      const Real theta = parameters_.theta(j, c);
      const Real next = static_cast<Real>(theta + conditional.delta(lane, c));
      if (!std::isfinite(next)) throw_too_large();
      change[c == 0 ? width_ : c - 1] = next - theta;
    }
  }

  void update_parameters(Feature j, const Real* change) noexcept {
    for (Index c = 0; c < size_; ++c) {
      parameters_.set_theta(j, c, parameters_.theta(j, c) + change[c == 0 ? width_ : c - 1]);
    }
  }

  [[noreturn]] static void throw_too_large() {
    throw std::overflow_error(std::string("the parameters of a feature cannot be drawn: the data, "
                                          "weights or precisions are too large or too different "
                                          "in size for ") +
                              (is_float ? "float32" : "float64"));
  }

  const Columns<Real>& columns_;
  RowsOf rows_;
  Parameters<Real>& parameters_;
  Conditions conditions_;
  Index width_, size_;
  std::vector<Worker> workers_;
  std::vector<double> chunk_moments_;  // (chunks, size of moments)
  std::vector<Real> changes_;          // of the frequent features
};

/// Draws the parameters of some features. Not inline: all likelihoods share what is compiled.
template <class Real, class Values, class Pieces>
[[gnu::noinline]] void draw_features(Team& team, const Columns<Real>& columns, Rows<Real>& rows,
                                     Parameters<Real>& parameters, const Conditions& conditions,
                                     const std::vector<ClassTasks>& classes) {
  const auto draw = [&]<template <class, class> class Interactors> {
    using RowsOf = FeatureRows<Real, Values, Pieces, Interactors<Real, Pieces>>;
    const RowsOf rows_of(columns, rows.view(), parameters.factors());
    FeaturePass<Real, RowsOf>(columns, rows_of, parameters, conditions, team.size())
        .draw(team, classes);
  };
  if constexpr (!std::is_pointer_v<Values>) {
    if (columns.paired()) return draw.template operator()<PartnerFactors>();
  }
  draw.template operator()<CachedSums>();
}

}  // namespace sparsefm::gibbs
