#include "plan.hpp"

#include "../parallel.hpp"

namespace sparsefm {

template <class Real>
Plan<Real>::Plan(const MatrixView<Real>& X, std::span<const Index> rows, const Real* weights,
                 Index batch_size)
    : X_(X),
      rows_(rows),
      weights_(weights),
      batch_size_(batch_size),
      transposes_((size() + batch_size - 1) / batch_size) {}

template <class Real>
Index Plan<Real>::features() const {
  return std::visit([](const auto& X) { return X.features; }, X_);
}

template <class Real>
void Plan<Real>::transpose(std::span<const Index> batches, int threads) {
  std::vector<Index> missing;
  for (const Index b : batches) {
    if (transposed(b) == nullptr) missing.push_back(b);
  }
  const auto tasks = static_cast<Index>(missing.size());
  std::vector<std::unique_ptr<Slots>> slots(threads);  // one a thread, made when needed
  std::visit(
      [&](const auto& X) {
        const Index work = X.nonzeros() / std::max<Index>(this->batches(), 1) * tasks;
        with_team(team_size(threads, tasks, work), [&](Team& team) {
          team.for_each(tasks, [&](Index task, int member) {
            auto& mine = slots[member];
            if (!mine) mine = std::make_unique<Slots>(X.features);
            const auto chosen = rows(missing[task]);
            auto made = std::make_shared<const Batch<Real>>(sparsefm::transpose<Real>(
                X, chosen.data(), static_cast<Index>(chosen.size()), *mine));
            const std::scoped_lock lock(mutex_);
            transposes_[missing[task]] = std::move(made);
          });
        });
      },
      X_);
}

template <class Real>
void Plan<Real>::forget(std::span<const Index> batches) {
  const std::scoped_lock lock(mutex_);
  for (const Index b : batches) transposes_[b] = nullptr;
}

template <class Real>
std::shared_ptr<const Batch<Real>> Plan<Real>::transposed(Index b) const {
  const std::scoped_lock lock(mutex_);
  return transposes_[b];
}

template class Plan<float>;
template class Plan<double>;

}  // namespace sparsefm
