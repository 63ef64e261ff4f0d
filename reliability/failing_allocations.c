// Preloaded, this lets chosen large allocations fail: the n-th one, or all from the n-th one on.
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static atomic_long counted, first = -1, last = -1;
static atomic_size_t large = (size_t)-1;

/// Begins to count allocations of so many bytes or more; those from `from` to `to` fail.
void fail_allocations(size_t size, long from, long to) {
  counted = 0;
  first = from;
  last = to;
  large = size;
}

long allocations_counted(void) { return counted; }

static int fails(size_t size) {
  if (size < large) return 0;
  const long number = counted++;
  if (number < first || number > last) return 0;
  errno = ENOMEM;
  return 1;
}

void* malloc(size_t size) { return fails(size) ? NULL : __libc_malloc(size); }

void* calloc(size_t count, size_t size) {
  return fails(count * size) ? NULL : __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) { return fails(size) ? NULL : __libc_realloc(old, size); }

void* memalign(size_t alignment, size_t size) {
  return fails(size) ? NULL : __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** result, size_t alignment, size_t size) {
  void* const made = memalign(alignment, size);
  if (made == NULL) return ENOMEM;
  *result = made;
  return 0;
}
