// The Gibbs sampler, and its random numbers for tests.
#include <pybind11/stl.h>

#include "../core/solvers/gibbs/draws.hpp"
#include "../core/solvers/gibbs/gibbs.hpp"
#include "bind.hpp"
#include "csr.hpp"

namespace sparsefm {
namespace {

bool are_cuts(std::span<const double> cuts) {
  return !cuts.empty() && cuts[0] == 0 && all_finite(cuts.data(), std::ssize(cuts)) &&
         std::ranges::is_sorted(cuts, std::less_equal{});
}

template <class Real>
void check_targets(const Real* y, Index rows, const std::string& likelihood, Index cuts) {
  require(all_finite(y, rows), "y holds NaN or infinity");
  require(likelihood != "ordinal" || std::all_of(y, y + rows,
                                                 [&](Real target) {
                                                   return 0 <= target && target <= Real(cuts) &&
                                                          target == std::floor(target);
                                                 }),
          "ordinal targets must be integers from 0 to the number of cuts");
  require(likelihood != "probit" ||
              std::all_of(y, y + rows, [](Real target) { return target == 1 || target == -1; }),
          "with probit targets must be 1 or -1");
}

template <class Real>
std::vector<gibbs::RelationView<Real>> relation_views(const py::tuple& relations, const Csr& X) {
  std::vector<gibbs::RelationView<Real>> views;
  for (const auto& item : relations) {
    const auto [matrix, entities] = item.cast<std::pair<const Csr&, py::object>>();
    require(matrix.features() == X.features(), "a relation has other features than X");
    const auto* entity = input<std::int32_t>(entities, {X.rows()}, "entities");
    const Index size = matrix.rows();
    require(std::all_of(entity, entity + X.rows(), [&](auto a) { return 0 <= a && a < size; }),
            "entities holds a number that is no row of the relation");
    views.push_back({matrix.view_of_values<Real>("a relation"), entity});
  }
  return views;
}

/// Whether no field has entries in two of the matrices.
template <class Real>
bool separate(const MatrixView<Real>& X, gibbs::Relations<Real> relations,
              std::span<const std::int32_t> fields) {
  std::vector<std::size_t> homes(fields.size(), 0);  // more than there are fields
  bool alone = true;
  const auto visit = [&](const auto& matrix, std::size_t home) {
    for (Index p = 0; p < matrix.nonzeros(); ++p) {
      auto& known = homes[fields[matrix.columns[p]]];
      alone = alone && (known == 0 || known == home);
      known = home;
    }
  };
  std::visit([&](const auto& view) { visit(view, 1); }, X);
  for (std::size_t n = 0; n < relations.size(); ++n) visit(relations[n].X, n + 2);
  return alone;
}

/// A chain with the arrays that it changes, for either type of arithmetic.
class GibbsHandle {
 public:
  GibbsHandle(const Csr& X, const py::object& y, const py::object& weights,
              const py::object& fields, const py::object& settings, const py::object& w0,
              const py::object& w, const py::object& V, const py::object& alpha,
              const py::object& means, const py::object& precisions, const py::object& cuts,
              std::uint64_t seed, Index chain, const py::tuple& relations)
      : alive_{py::cast(X), relations, y, w0, w, V, alpha, means, precisions, cuts} {
    require(X.rows() <= max_int32 && X.features() < max_int32,
            "a sampler takes at most 2^31 - 1 rows, and fewer features");
    require(0 <= chain && chain < Index{1} << 24, "chain must be at least 0, and below 2^24");
    const auto described = settings_of(settings);
    for (const auto& [name, value] : described.constants) {
      require(std::isfinite(value) && value >= 0, name + " must be finite and not negative");
    }
    for_real(V, [&]<class Real> {
      const auto view = chain_view<Real>(X, w0, w, V, alpha, means, precisions, cuts);
      const Index rows = X.rows(), features = X.features();
      const auto* field = input<std::int32_t>(fields, {features}, "fields");
      require(
          std::all_of(field, field + features, [&](auto f) { return 0 <= f && f < view.fields; }),
          "fields holds a field that means and precisions do not have");
      const Real* targets = input<Real>(y, {rows}, "y");
      check_targets(targets, rows, described.name, static_cast<Index>(view.cuts.size()));
      const Real* weight = weights.is_none() ? nullptr : input<Real>(weights, {rows}, "weights");
      require(weight == nullptr ||
                  (all_finite(weight, rows) &&
                   std::all_of(weight, weight + rows, [](Real omega) { return omega >= 0; })),
              "weights must be finite and not negative");
      auto complete = view;
      complete.seed = seed;
      complete.chain = static_cast<std::uint32_t>(chain);
      const auto matrix = X.view<Real>();
      const auto views = relation_views<Real>(relations, X);
      const ReleasedGil released;
      const std::span by_feature(field, static_cast<std::size_t>(features));
      require(views.empty() || separate<Real>(matrix, views, by_feature),
              "a field has entries in X and in a relation, or in two relations");
      gibbs_ =
          gibbs::make_gibbs<Real>(matrix, views, targets, weight, by_feature, described, complete);
      precisions_ = std::span<const double>(view.precisions, view.fields * (view.rank + 1));
      alpha_ = view.alpha;
      cuts_ = view.cuts;
    });
  }

  double sweep(Index t, int threads) {
    require(0 <= t && t < Index{1} << 32, "t must be at least 0, and below 2^32");
    require(threads >= 1, "threads must be at least 1");
    const auto precise = [](double number) { return std::isfinite(number) && number > 0; };
    require(precise(*alpha_) && std::all_of(precisions_.begin(), precisions_.end(), precise),
            "alpha and precisions must be finite and positive");
    require(are_cuts(cuts_), "cuts must ascend from 0 and be finite");
    const ReleasedGil released;
    return std::visit([&](auto& gibbs) { return gibbs->sweep(t, threads); }, gibbs_);
  }

 private:
  template <class Real>
  static gibbs::ChainView<Real> chain_view(const Csr& X, const py::object& w0, const py::object& w,
                                           const py::object& V, const py::object& alpha,
                                           const py::object& means, const py::object& precisions,
                                           const py::object& cuts) {
    const auto factors = as_array<Real>(V, "V");
    require(factors.ndim() == 2, "V must have shape (n_features, rank)");
    const auto hyperparameters = as_array<double>(means, "means");
    require(hyperparameters.ndim() == 2, "means must have shape (n_fields, 1 + rank)");
    const Index rank = factors.shape(1), fields = hyperparameters.shape(0);
    const Index n_cuts = as_array<double>(cuts, "cuts").size();
    require(n_cuts > 0, "cuts must hold one number at least");
    return {output<Real>(w0, {1}, "w0"),
            output<Real>(w, {X.features()}, "w"),
            output<Real>(V, {X.features(), rank}, "V"),
            output<double>(alpha, {1}, "alpha"),
            output<double>(means, {fields, 1 + rank}, "means"),
            output<double>(precisions, {fields, 1 + rank}, "precisions"),
            {output<double>(cuts, {n_cuts}, "cuts"), static_cast<std::size_t>(n_cuts)},
            X.features(),
            rank,
            fields,
            0,
            0};
  }

  std::vector<py::object> alive_;
  const double* alpha_ = nullptr;
  std::span<const double> precisions_, cuts_;
  std::variant<std::unique_ptr<gibbs::Gibbs<float>>, std::unique_ptr<gibbs::Gibbs<double>>> gibbs_;
};

void bind_draws(py::module_& m) {
  m.def("philox", &gibbs::philox_words, py::arg("counter"), py::arg("key"));
  m.def("gamma_draws", [](const py::object& out, double shape, std::uint64_t seed, Index sweep) {
    const Index size = as_array<double>(out, "out").size();
    require(std::isfinite(shape) && shape > 0, "shape must be positive");
    gibbs::gamma_draws(output<double>(out, {size}, "out"), size, shape, seed, sweep);
  });
  m.def("normal_draws", [](const py::object& out, std::uint64_t seed, Index sweep) {
    const Index size = as_array<double>(out, "out").size();
    gibbs::normal_draws(output<double>(out, {size}, "out"), size, seed, sweep);
  });
  m.def("normal_draw_above", &gibbs::normal_draw_above, py::arg("above"), py::arg("u"));
  m.def("normal_draw_between", &gibbs::normal_draw_between, py::arg("a"), py::arg("b"),
        py::arg("u"));
  m.def("normal_interval", &gibbs::normal_interval_parts, py::arg("a"), py::arg("b"));
}

}  // namespace

void bind_gibbs(py::module_& m) {
  py::class_<GibbsHandle>(m, "Gibbs")
      .def(py::init<const Csr&, const py::object&, const py::object&, const py::object&,
                    const py::object&, const py::object&, const py::object&, const py::object&,
                    const py::object&, const py::object&, const py::object&, const py::object&,
                    std::uint64_t, Index, const py::tuple&>(),
           py::arg("X"), py::arg("y"), py::arg("weights"), py::arg("fields"), py::arg("settings"),
           py::arg("w0"), py::arg("w"), py::arg("V"), py::arg("alpha"), py::arg("means"),
           py::arg("precisions"), py::arg("cuts"), py::arg("seed"), py::arg("chain"),
           py::arg("relations") = py::tuple())
      .def("sweep", &GibbsHandle::sweep, py::arg("t"), py::arg("threads"));
  bind_draws(m);
}

}  // namespace sparsefm
