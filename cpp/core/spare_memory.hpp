// What ends the process where there is no memory, unless it is asked for in time.
#pragma once

#include <cstdlib>
#include <exception>

namespace sparsefm {

/// Whether so many bytes could be had now.
inline bool can_allocate(std::size_t size) noexcept {
  void* volatile bytes = std::malloc(size);  // volatile: else compilers drop the whole of it
  std::free(bytes);
  return bytes != nullptr;
}

/// Whether this thread may throw. Its first exception needs thread-local variables of the C++
/// library, and where there is no memory for them, the C library ends the process. Once this was
/// true, they are there.
inline bool can_throw() noexcept {
  if (!can_allocate(4096)) return false;
  [[maybe_unused]] const volatile int touched = std::uncaught_exceptions();
  return true;
}

}  // namespace sparsefm
