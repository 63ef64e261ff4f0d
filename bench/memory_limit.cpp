// The bare loops: what any factorization machine with Adam has to do to memory, and nothing else.
// A feature's row holds V, m and v side by side, 3 * rank floats.
#include <cstdint>

namespace {

constexpr int in_flight = 128;  // lines of the cache between a prefetch and its use

constexpr std::int64_t rows_ahead(int floats) { return in_flight / ((floats + 15) / 16); }

template <int rank>
float gather(const std::int32_t* features, std::int64_t begin, std::int64_t end,
             const float* rows) {
  constexpr std::int64_t ahead = rows_ahead(rank);
  float sums[rank] = {};
  for (std::int64_t i = begin; i < end; ++i) {
    if (i + ahead < end)
      for (int line = 0; line < rank; line += 16)
        __builtin_prefetch(rows + std::int64_t{features[i + ahead]} * 3 * rank + line);
    const float* row = rows + std::int64_t{features[i]} * 3 * rank;
    for (int j = 0; j < rank; ++j) sums[j] += row[j];
  }
  float sum = 0;
  for (int j = 0; j < rank; ++j) sum += sums[j];
  return sum;
}

template <int rank>
float update(const std::int32_t* features, std::int64_t begin, std::int64_t end, float* rows) {
  constexpr std::int64_t ahead = rows_ahead(3 * rank);
  for (std::int64_t i = begin; i < end; ++i) {
    if (i + ahead < end)
      for (int line = 0; line < 3 * rank; line += 16)
        __builtin_prefetch(rows + std::int64_t{features[i + ahead]} * 3 * rank + line, 1);
    float* row = rows + std::int64_t{features[i]} * 3 * rank;
    for (int j = 0; j < 3 * rank; ++j) row[j] = 0.999f * row[j] + 0.001f;
  }
  return rows[0];
}

// Each thread takes a part of the features as long as the others'. In `update` two may write the
// same row at the same time, which costs what it costs; nobody reads the result.
template <int rank>
float both(const std::int32_t* features, std::int64_t n, float* rows, int write, int threads) {
  float sum = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : sum)
  for (int part = 0; part < threads; ++part) {
    const std::int64_t begin = n * part / threads, end = n * (part + 1) / threads;
    sum +=
        write ? update<rank>(features, begin, end, rows) : gather<rank>(features, begin, end, rows);
  }
  return sum;
}

}  // namespace

extern "C" float run(const std::int32_t* features, std::int64_t n, float* rows, int rank, int write,
                     int threads) {
  switch (rank) {
    case 8:
      return both<8>(features, n, rows, write, threads);
    case 16:
      return both<16>(features, n, rows, write, threads);
    default:
      return both<64>(features, n, rows, write, threads);
  }
}
