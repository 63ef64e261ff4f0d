// Asks the processor, and the operating system behind it, which x86-64 levels they support. Built
// for the plainest processor: it runs before anything else may.
#include <pybind11/pybind11.h>

namespace {

/// 1 (baseline), 3 (AVX2, FMA) or 4 (AVX-512); 0 on other architectures.
int x86_64_level() {
#if defined(__x86_64__) && defined(__GNUC__)
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? 4 : v3 ? 3 : 1;
#else
  return 0;
#endif
}

}  // namespace

PYBIND11_MODULE(_cpu, m) { m.def("x86_64_level", &x86_64_level); }
