// Asks the processor and the operating system which x86-64 levels they support. It is built for the
// baseline level, since it runs before a level is chosen.
#include <pybind11/pybind11.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>

namespace {

/// Features of level 3 that some compilers' __builtin_cpu_supports does not know.
bool has_lzcnt_movbe_f16c() {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return false;
  constexpr unsigned movbe = 1u << 22, f16c = 1u << 29;
  if ((ecx & movbe) == 0 || (ecx & f16c) == 0) return false;
  constexpr unsigned lzcnt = 1u << 5;
  return __get_cpuid(0x80000001u, &eax, &ebx, &ecx, &edx) && (ecx & lzcnt) != 0;
}

int supported_level() {
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                  has_lzcnt_movbe_f16c();
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? 4 : v3 ? 3 : 1;
}

}  // namespace
#else
static int supported_level() { return 0; }
#endif

/// 1 (baseline), 3 (AVX2, FMA) or 4 (AVX-512); 0 on other architectures.
PYBIND11_MODULE(_cpu, m) { m.def("x86_64_level", &supported_level); }
