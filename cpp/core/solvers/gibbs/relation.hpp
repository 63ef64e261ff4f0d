// A relation: features that depend on an entity of the row only, such as the age of its user.
#pragma once

#include <numeric>

#include "entity_rows.hpp"
#include "feature_pass.hpp"
#include "layout.hpp"

namespace sparsefm::gibbs {

template <class Real>
class Relation {
 public:
  /// `number`: of this relation in the layout.
  Relation(const RelationView<Real>& view, const Layout& layout, std::size_t number, Index width)
      : view_(view),
        width_(width),
        rows_of_(entities_by_rows(view, layout.places)),
        entities_(rows_of_, every_entity(view.X.rows)),
        columns_(columns_of<Real>(view.X, iota(view.X.rows), false)),
        sums_(view.X.rows * width),
        changes_(view.X.rows * (width + 1)),
        own_(view.X.rows),
        moments_(view.X.rows * MomentsView::size(width)) {
    for (const auto& members : classes_of(columns_, layout.features_of, layout.fields_of[number])) {
      classes_.emplace_back(columns_, members, [&](Feature j) { return work * columns_.size(j); });
    }
  }

  /// What the features add to q and to the score of a row.
  EntityScores<Real> scores() const noexcept {
    return {view_.entities, sums_.data(), own_.data(), width_};
  }

  Index most_tasks() const noexcept { return size(entities_); }

  /// Computes u and scores from the parameters.
  template <class Pieces>
  void read(Team& team, const Parameters<Real>& parameters) {
    team.for_blocks(view_.X.rows, block, [&](Index, Index begin, Index end) {
      for (Index a = begin; a < end; ++a) {
        const auto row = view_.X.row(a);
        Real own = 0;
        std::fill_n(sums_.data() + a * width_, width_, Real{0});
        for (Index p = 0; p < row.size; ++p) {
          const Real x = row.values[p];
          own += parameters.own_score(row.features[p], x);
          Pieces::visit(Pieces::width(width_), [&]<class L>(Index f) {
            Eigen::Map<L>(sums_.data() + a * width_ + f) +=
                x * Eigen::Map<const L>(parameters.v(row.features[p]) + f);
          });
        }
        own_[a] = own;
      }
    });
  }

  /// Draws the parameters of the relation's features.
  template <class Pieces>
  [[gnu::noinline]] void draw(Team& team, Rows<Real>& rows, Parameters<Real>& parameters,
                              const Conditions& conditions) {
    gather<Pieces>(team, rows);
    const EntityRows<Real> rows_of(columns_, rows_of_, view(), rows.view(), parameters.factors());
    FeaturePass<Real, EntityRows<Real>>(columns_, rows_of, parameters, conditions, team.size())
        .draw(team, classes_);
    update<Pieces>(team, rows);
  }

 private:
  static constexpr Index block = 64;  // entities
  static constexpr Index work = 32;   // of an entity, in that of a row

  template <class Pieces>
  using EntitiesAsFeatures = FeatureRows<Real, Ones<Real>, Pieces, CachedSums<Real, Pieces>>;

  EntitiesView<Real> view() noexcept {
    return {sums_.data(), changes_.data(), moments_.data(), width_};
  }
  template <class Pieces>
  EntitiesAsFeatures<Pieces> entities_as_features(Rows<Real>& rows) {
    return {rows_of_, rows.view(), {sums_.data(), width_}};
  }
  Range all_rows(Index a) const noexcept { return {rows_of_.starts[a], rows_of_.starts[a + 1]}; }
  static Index size(const ClassTasks& tasks) noexcept {
    return tasks.tasks_of_chunks() + static_cast<Index>(tasks.batches.size());
  }

  /// The sums of all entities.
  template <class Pieces>
  void gather(Team& team, Rows<Real>& rows) {
    const Index moments_size = MomentsView::size(width_), of_chunks = entities_.tasks_of_chunks();
    std::vector<double> chunk_moments(entities_.chunks.size() * moments_size);
    const auto moments_of_chunk = [&](Index chunk) {
      return MomentsView(chunk_moments.data() + chunk * moments_size, width_);
    };
    auto features = entities_as_features<Pieces>(rows);
    std::vector<Tile<Real>> tiles;
    tiles.reserve(team.size());
    for (int member = 0; member < team.size(); ++member) tiles.emplace_back(width_);
    team.for_each(size(entities_), [&](Index task, int member) {
      if (task < of_chunks) {
        entities_.for_chunks(task, [&](Index chunk) {
          const auto& [n, occurrences] = entities_.chunks[chunk];
          features.gather(tiles[member], moments_of_chunk(chunk), entities_.frequent[n],
                          occurrences, entities_.blocked());
        });
        return;
      }
      const auto [begin, end] = entities_.batches[task - of_chunks];
      for (Index i = begin; i < end; ++i) {
        const Index a = entities_.rare[i];
        features.gather(tiles[member], view().moments_of(a), static_cast<Feature>(a), all_rows(a));
        finish(a);
      }
    });
    team.for_each(static_cast<Index>(entities_.frequent.size()), [&](Index n, int) {
      const Index a = entities_.frequent[n];
      const auto [begin, end] = entities_.chunks_of[n];
      view().moments_of(a).set_zero();
      for (Index chunk = begin; chunk < end; ++chunk) {
        view().moments_of(a).add(moments_of_chunk(chunk));
      }
      finish(a);
    });
  }

  /// Completes G, of which the part above the diagonal is missing, and sets the changes to zero.
  void finish(Index a) noexcept {
    double* hh = view().moments_of(a).hh();
    for (Index i = 0; i < width_; ++i) {
      for (Index j = 0; j < i; ++j) hh[j * width_ + i] = hh[i * width_ + j];
    }
    std::fill_n(view().change(a), width_ + 1, Real{0});
  }

  template <class Pieces>
  void update(Team& team, Rows<Real>& rows) {
    auto features = entities_as_features<Pieces>(rows);
    const Index of_chunks = entities_.tasks_of_chunks();
    const auto update = [&](Index a, const Range& occurrences) {
      features.update(static_cast<Feature>(a), occurrences, view().change(a));
    };
    team.for_each(size(entities_), [&](Index task, int) {
      if (task < of_chunks) {
        entities_.for_chunks(task, [&](Index chunk) {
          const auto& [n, occurrences] = entities_.chunks[chunk];
          update(entities_.frequent[n], occurrences);
        });
        return;
      }
      const auto [begin, end] = entities_.batches[task - of_chunks];
      for (Index i = begin; i < end; ++i) update(entities_.rare[i], all_rows(entities_.rare[i]));
    });
  }

  static std::vector<std::int32_t> iota(Index size) {
    std::vector<std::int32_t> numbers(size);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }

  static FeatureClass every_entity(Index entities) { return {0, iota(entities)}; }

  static Columns<Real> entities_by_rows(const RelationView<Real>& view,
                                        std::span<const std::int32_t> places) {
    const auto rows = static_cast<Index>(places.size());
    const auto offsets = iota(rows + 1);
    const CsrView<Ones<Real>> one_each{
        rows, view.X.rows, Offsets(offsets.data()), view.entities, {}};
    return columns_of<Real>(one_each, places, false);
  }

  RelationView<Real> view_;
  Index width_;
  Columns<Real> rows_of_;  // each entity's
  ClassTasks entities_;
  Columns<Real> columns_;  // the entities of each feature
  std::vector<ClassTasks> classes_;
  LineArray<Real> sums_, changes_, own_;
  std::vector<double> moments_;
};

}  // namespace sparsefm::gibbs
