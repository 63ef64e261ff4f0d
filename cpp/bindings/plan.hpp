// A plan with the arrays that it borrows, for either type of arithmetic.
#pragma once

#include <variant>

#include "../core/data/plan.hpp"
#include "csr.hpp"

namespace sparsefm {

class PlanHandle {
 public:
  PlanHandle(const Csr& X, const py::object& rows, const py::object& weights, Index batch_size,
             const py::dtype& real)
      : alive_{py::cast(X), rows, weights} {
    require(batch_size >= 1 && batch_size <= max_int32,
            "batch_size must be at least 1, and at most 2^31 - 1");
    if (real.equal(py::dtype::of<float>())) {
      build<float>(X, rows, weights, batch_size);
    } else {
      require(real.equal(py::dtype::of<double>()), "a plan is of float32 or float64");
      build<double>(X, rows, weights, batch_size);
    }
  }

  Index rows() const noexcept { return rows_; }
  Index features() const {
    return std::visit([](const auto& plan) { return plan->features(); }, plan_);
  }
  Index batches() const {
    return std::visit([](const auto& plan) { return plan->batches(); }, plan_);
  }

  /// Null if the plan is for the other type of arithmetic.
  template <class Real>
  const Plan<Real>* get() const noexcept {
    const auto* found = std::get_if<std::unique_ptr<Plan<Real>>>(&plan_);
    return found == nullptr ? nullptr : found->get();
  }

  void transpose(const py::object& batches, int threads) {
    require(threads >= 1, "threads must be at least 1");
    const auto checked = batches_of(batches);
    const ReleasedGil released;
    std::visit([&](auto& plan) { plan->transpose(checked, threads); }, plan_);
  }

  void forget(const py::object& batches) {
    const auto checked = batches_of(batches);
    const ReleasedGil released;
    std::visit([&](auto& plan) { plan->forget(checked); }, plan_);
  }

  /// The number of batches, from the first on, whose transposes together take at most `budget`
  /// bytes; at least one if the first has a transpose.
  Index count_within(const py::object& batches, Index budget) const {
    Index count = 0, bytes = 0;
    for (const Index b : batches_of(batches)) {
      const Index more = bytes_of_one(b);
      bytes += more;
      if (more == 0 || (count > 0 && bytes > budget)) break;
      ++count;
    }
    return count;
  }

  /// The memory that the transposes of some batches take, in bytes.
  Index bytes_of(const py::object& batches) const {
    Index total = 0;
    for (const Index b : batches_of(batches)) total += bytes_of_one(b);
    return total;
  }

  /// The memory that all transposes take, in bytes.
  Index bytes() const {
    Index total = 0;
    for (Index b = 0; b < batches(); ++b) total += bytes_of_one(b);
    return total;
  }

  std::span<const Index> batches_of(const py::object& batches) const {
    const Index size = as_array<Index>(batches, "batches").size();
    const auto* batch = input<Index>(batches, {size}, "batches");
    std::vector<bool> seen(this->batches());
    for (Index q = 0; q < size; ++q) {
      require(batch[q] >= 0 && batch[q] < this->batches() && !seen[batch[q]],
              "no such batch, or the same one again");
      seen[batch[q]] = true;
    }
    return {batch, static_cast<std::size_t>(size)};
  }

 private:
  template <class Real>
  void build(const Csr& X, const py::object& rows, const py::object& weights, Index batch_size) {
    rows_ = as_array<Index>(rows, "rows").size();
    const auto* row = input<Index>(rows, {rows_}, "rows");
    require(std::all_of(row, row + rows_, [&](Index r) { return r >= 0 && r < X.rows(); }),
            "rows holds a row that X does not have");
    require((rows_ + batch_size - 1) / batch_size <= max_int32,
            "an epoch may have 2^31 - 1 batches");
    plan_ = std::make_unique<Plan<Real>>(
        X.view<Real>(), std::span(row, static_cast<std::size_t>(rows_)),
        weights.is_none() ? nullptr : input<Real>(weights, {rows_}, "weights"), batch_size);
  }

  Index bytes_of_one(Index b) const {
    return std::visit(
        [b](const auto& plan) {
          const auto batch = plan->transposed(b);
          return batch == nullptr ? Index{0} : batch->bytes();
        },
        plan_);
  }

  std::vector<py::object> alive_;
  Index rows_ = 0;
  std::variant<std::unique_ptr<Plan<float>>, std::unique_ptr<Plan<double>>> plan_;
};

}  // namespace sparsefm
