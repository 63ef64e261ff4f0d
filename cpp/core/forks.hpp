// Whether this process was forked from one that had loaded the library.
#pragma once

#if __has_include(<unistd.h>)
#include <unistd.h>

namespace sparsefm {

inline const auto loaded_by = getpid();

/// Whether this is a child made by fork, where OpenMP may wait for threads that only its parent
/// has. The number of the process tells however it was forked; a handler is not always called.
inline bool is_forked_child() noexcept { return getpid() != loaded_by; }

}  // namespace sparsefm
#else
namespace sparsefm {

inline bool is_forked_child() noexcept { return false; }  // Windows has no fork

}  // namespace sparsefm
#endif
