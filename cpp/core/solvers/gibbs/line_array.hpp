// Uninitialized numbers from the beginning of a cache line on, in large pages if they are many:
// rows are visited in any order, and small pages would each have to be looked up.
#pragma once

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

#include <memory>
#include <new>

#include "../../types.hpp"

namespace sparsefm::gibbs {

template <class T>
class LineArray {
 public:
  explicit LineArray(Index size = 0) {
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T);
    const std::align_val_t alignment{bytes < large_page ? cache_line : large_page};
    data_ = {static_cast<T*>(::operator new(bytes, alignment)), Free{alignment}};
#ifdef MADV_HUGEPAGE
    if (bytes >= large_page) madvise(data_.get(), bytes, MADV_HUGEPAGE);  // no more than a wish
#endif
  }

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  T& operator[](Index i) noexcept { return data_.get()[i]; }
  const T& operator[](Index i) const noexcept { return data_.get()[i]; }

 private:
  static constexpr std::size_t large_page = std::size_t{1} << 21;  // bytes

  struct Free {
    std::align_val_t alignment{cache_line};
    void operator()(T* data) const noexcept { ::operator delete(data, alignment); }
  };
  std::unique_ptr<T, Free> data_;
};

}  // namespace sparsefm::gibbs
