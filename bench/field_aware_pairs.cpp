// An epoch of a field-aware factorization machine as libffm trains it: row after row, pair after
// pair, once for the score and once for the update by AdaGrad. The factors of a feature for a field
// and their sums of squares are side by side, 2 * rank floats. Rows are one-hot, and there are no
// linear weights.
#include <cmath>
#include <cstdint>

namespace {

constexpr int rank = 4;

void step(float* v, const float* other, float* squares, float slope, float rate) {
  for (int f = 0; f < rank; ++f) {
    const float g = slope * other[f];
    squares[f] += g * g;
    v[f] -= rate * g / std::sqrt(squares[f]);
  }
}

}  // namespace

extern "C" void epoch(const std::int32_t* features, const float* y, std::int64_t rows,
                      std::int64_t fields, float* factors, float rate) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int32_t* row = features + r * fields;
    const auto block = [&](std::int64_t a, std::int64_t b) {
      return factors + (row[a] * fields + b) * 2 * rank;
    };
    float score = 0;
    for (std::int64_t a = 0; a < fields; ++a)
      for (std::int64_t b = a + 1; b < fields; ++b) {
        const float *left = block(a, b), *right = block(b, a);
        for (int f = 0; f < rank; ++f) score += left[f] * right[f];
      }
    const float slope = 1 / (1 + std::exp(-score)) - y[r];
    for (std::int64_t a = 0; a < fields; ++a)
      for (std::int64_t b = a + 1; b < fields; ++b) {
        float *left = block(a, b), *right = block(b, a), before[rank];
        for (int f = 0; f < rank; ++f) before[f] = left[f];
        step(left, right, left + rank, slope, rate);
        step(right, before, right + rank, slope, rate);
      }
  }
}
