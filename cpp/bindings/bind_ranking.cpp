// The training on comparisons of items.
#include <algorithm>
#include <memory>
#include <variant>

#include "../core/ranking/comparisons/ranker.hpp"
#include "../core/solvers/trainer.hpp"
#include "bind.hpp"
#include "csr.hpp"
#include "sides.hpp"
#include "state.hpp"

namespace sparsefm {
namespace {

using namespace comparisons;

KnownItems known_of(const py::object& offsets, const py::object& items) {
  const Index size = as_array<std::int32_t>(items, "known").size();
  const Index users = as_array<Index>(offsets, "offsets of known").size() - 1;
  require(users >= 0, "offsets of known must have an end");
  const KnownItems known{input<Index>(offsets, {users + 1}, "offsets of known"),
                         input<std::int32_t>(items, {size}, "known")};
  require(known.offsets[0] == 0 && known.offsets[users] == size, "known must end at its end");
  for (Index u = 0; u < users; ++u) {
    const Index begin = known.offsets[u], end = known.offsets[u + 1];
    require(begin <= end && end <= size, "offsets of known must ascend");
    require(std::is_sorted(known.items + begin, known.items + end), "known must ascend");
  }
  return known;
}

/// The arrays of a tuple (contexts, users, items, weights, begins, ends).
template <class Real>
Positives<Real> positives_of(const py::tuple& arrays, Index n_contexts, Index n_users,
                             Index n_items) {
  const Index size = as_array<std::int32_t>(arrays[2], "positives").size();
  require(1 <= size && size <= max_int32, "there must be a positive, and not too many");
  const auto numbers = [&](Index part, Index bound, const char* name) {
    const auto* found = input<std::int32_t>(arrays[part], {size}, name);
    require(
        std::all_of(found, found + size, [bound](std::int32_t n) { return 0 <= n && n < bound; }),
        std::string("positives have other ") + name);
    return std::span(found, static_cast<std::size_t>(size));
  };
  Positives<Real> found{numbers(0, n_contexts, "contexts"),
                        numbers(1, n_users, "users"),
                        numbers(2, n_items, "items"),
                        nullptr,
                        nullptr,
                        nullptr};
  if (!arrays[3].is_none()) {
    found.weights = input<Real>(arrays[3], {size}, "weights");
    require(std::all_of(found.weights, found.weights + size,
                        [](Real w) { return w > 0 && w <= std::numeric_limits<Real>::max(); }),
            "weights must be positive");
  }
  if (!arrays[4].is_none()) {
    found.begins = input<Index>(arrays[4], {size}, "begins");
    found.ends = input<Index>(arrays[5], {size}, "ends");
    for (Index p = 0; p < size; ++p) {
      require(0 <= found.begins[p] && found.begins[p] <= found.ends[p] && found.ends[p] <= n_items,
              "negatives must be items");
    }
  }
  return found;
}

AliasTable table_of(const py::object& keep, const py::object& alias, const py::object& probability,
                    Index n_items) {
  if (keep.is_none()) return {nullptr, nullptr, nullptr};
  const AliasTable table{input<double>(keep, {n_items}, "keep"),
                         input<std::int32_t>(alias, {n_items}, "alias"),
                         input<double>(probability, {n_items}, "probability")};
  require(std::all_of(table.alias, table.alias + n_items,
                      [n_items](std::int32_t i) { return 0 <= i && i < n_items; }),
          "alias must have items");
  require(std::all_of(table.probability, table.probability + n_items,
                      [](double p) { return p >= 0 && p <= 1; }),
          "probability must be in [0, 1]");
  return table;
}

class RankerHandle {
 public:
  RankerHandle(const std::string& loss, const py::object& optimizer, const py::object& bias,
               const py::object& scalars, const py::object& factors, const Csr& contexts,
               const Csr& items, const py::tuple& positives, const py::tuple& known,
               const py::tuple& table, std::uint64_t seed, Index negatives, Index batch_size,
               int threads)
      : batch_size_(batch_size),
        alive_{bias,      scalars, factors, py::cast(contexts), py::cast(items),
               positives, known,   table} {
    require(threads >= 1, "threads must be at least 1");
    require(batch_size >= 1 && batch_size <= max_int32, "batch_size must be at least 1");
    require(negatives >= 0, "negatives cannot be less than none");
    require(positives.size() == 6 && known.size() == 2 && table.size() == 3,
            "positives, known and table are of 6, 2 and 3 arrays");
    require(items.rows() >= 1 && items.rows() <= max_int32 && contexts.rows() <= max_int32,
            "there must be items, and not too many");
    require(positives[4].is_none() || table[0].is_none(), "items of a range are drawn alike");
    const auto settings = settings_of(optimizer);
    for_real(factors, [&]<class Real> {
      const auto shape = as_array<Real>(scalars, "scalars");
      require(shape.ndim() == 2 && shape.shape(1) >= 2, "scalars must be two-dimensional");
      const auto moments = static_cast<int>(shape.shape(1) - 2);
      require(moments == moments_of(settings), "the optimizer has other moments");
      const auto state = state_view<Real>(bias, scalars, factors, moments);
      check_apart(contexts.view<Real>(), items.view<Real>());
      require(contexts.features() == state.features && items.features() == state.features,
              "contexts and items must have the features of the parameters");
      const RankingTask<Real> task{
          contexts.view_of_values<Real>("contexts"),
          items.view_of_values<Real>("items"),
          positives_of<Real>(positives, contexts.rows(),
                             as_array<Index>(known[0], "offsets of known").size() - 1,
                             items.rows()),
          known_of(known[0], known[1]),
          table_of(table[0], table[1], table[2], items.rows()),
          seed,
          negatives,
          batch_size};
      positives_ = task.positives.size();
      ranker_ = make_ranker(state, task, loss, settings, threads);
    });
  }

  double run(const py::object& order, Index epoch, Index begin, Index end, Index t,
             double learning_rate, double loss) {
    const Index size = as_array<Index>(order, "order").size();
    const auto* positive = input<Index>(order, {size}, "order");
    require(size <= positives_, "order has more positives than there are");
    require(std::all_of(positive, positive + size,
                        [this](Index p) { return 0 <= p && p < positives_; }),
            "order has a positive that is not there");
    const Index steps = (size + batch_size_ - 1) / batch_size_;
    require(0 <= begin && begin <= end && end <= steps, "no such steps");
    require(t >= 0 && epoch >= 0, "steps and epochs cannot be negative");
    const ReleasedGil released;
    return std::visit(
        [&](auto& ranker) {
          return ranker->run({positive, static_cast<std::size_t>(size)}, epoch, begin, end, t,
                             learning_rate, loss);
        },
        ranker_);
  }

 private:
  Index batch_size_, positives_ = 0;
  std::vector<py::object> alive_;
  std::variant<std::unique_ptr<Ranker<float>>, std::unique_ptr<Ranker<double>>> ranker_;
};

}  // namespace

void bind_ranking(const py::module_& m) {
  py::class_<RankerHandle>(m, "Ranker")
      .def(py::init<const std::string&, const py::object&, const py::object&, const py::object&,
                    const py::object&, const Csr&, const Csr&, const py::tuple&, const py::tuple&,
                    const py::tuple&, std::uint64_t, Index, Index, int>(),
           py::arg("loss"), py::arg("optimizer"), py::arg("bias"), py::arg("scalars"),
           py::arg("factors"), py::arg("contexts"), py::arg("items"), py::arg("positives"),
           py::arg("known"), py::arg("table"), py::arg("seed"), py::arg("negatives"),
           py::arg("batch_size"), py::arg("threads"))
      .def("run", &RankerHandle::run, py::arg("order"), py::arg("epoch"), py::arg("begin"),
           py::arg("end"), py::arg("t"), py::arg("learning_rate"), py::arg("loss"));
}

}  // namespace sparsefm
