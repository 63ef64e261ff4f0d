// Work without the interpreter's lock, also by threads that the end of the interpreter overtakes.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>

namespace sparsefm {

/// The lock is free while this object lives.
///
/// A daemon thread that wants it back while the interpreter ends never gets it. Before Python 3.14
/// the interpreter ends such a thread by `pthread_exit`, which in glibc is an exception of a kind:
/// it must not leave a destructor, and it would destroy Python objects without the lock. So the
/// thread stays here until the process is gone, as it does in Python 3.14.
class ReleasedGil {
 public:
  ReleasedGil() : state_(PyEval_SaveThread()) {}
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

  ~ReleasedGil() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      for (const std::atomic<bool> over = false;;) over.wait(false);
    }
  }

 private:
  PyThreadState* state_;
};

}  // namespace sparsefm
