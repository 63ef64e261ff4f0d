// The only file that knows how work is spread over threads.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

#include <exception>

#include "types.hpp"

namespace sparsefm {

/// Calls `body(task)` once for every task in [0, tasks), on up to `threads` threads, in any order.
/// Who runs a task must not matter to its result: that is what makes results the same bits on any
/// number of threads. The first exception, if any, is rethrown here when all threads are done.
template <class Body>
void parallel_for(Index tasks, [[maybe_unused]] int threads, const Body& body) {
#ifdef _OPENMP
  if (threads > 1 && tasks > 1) {
    std::exception_ptr error;  // an exception that left the parallel region would end the process
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (Index task = 0; task < tasks; ++task) {
      try {
        body(task);
      } catch (...) {
#pragma omp critical(sparsefm_error)
        if (!error) error = std::current_exception();
      }
    }
    if (error) std::rethrow_exception(error);
    return;
  }
#endif
  for (Index task = 0; task < tasks; ++task) body(task);
}

/// `parallel_for` over [0, items) in fixed blocks: `body(block, begin, end)`.
template <class Body>
void parallel_blocks(Index items, Index block_size, int threads, const Body& body) {
  parallel_for((items + block_size - 1) / block_size, threads, [&](Index block) {
    const Index begin = block * block_size;
    body(block, begin, begin + block_size < items ? begin + block_size : items);
  });
}

/// Which thread of the enclosing `parallel_for` this is: an index into per-thread scratch.
inline int thread_number() noexcept {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

/// The OpenMP standard of this build (yyyymm); 0: none, everything runs on one thread.
constexpr int openmp_version() noexcept {
#ifdef _OPENMP
  return _OPENMP;
#else
  return 0;
#endif
}

}  // namespace sparsefm
