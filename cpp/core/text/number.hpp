// Numbers in text, exactly rounded: each becomes the nearest that its type has.
//
// The text must go on after a number until something that is no part of one, such as a newline.
#pragma once

#include <algorithm>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <system_error>
#include <type_traits>

#include "../types.hpp"

// The standard library of LLVM says for long that it has no `from_chars` for floating point.
#if !defined(__cpp_lib_to_chars) || defined(SPARSEFM_WITHOUT_FROM_CHARS)
#define SPARSEFM_USES_STRTOD
#include <locale.h>
#include <stdlib.h>
#if __has_include(<xlocale.h>)
#include <xlocale.h>
#endif

#include <string>
#endif

namespace sparsefm {

inline bool is_digit(char c) noexcept { return static_cast<unsigned char>(c - '0') < 10; }

/// Reads digits as an integer, at most `most` + 1 if there are more than that; returns where they
/// end, which is where they begin if there are none.
inline const char* read_integer(const char* p, Index most, Index& value) noexcept {
  std::uint64_t sum = 0;
  const auto limit = static_cast<std::uint64_t>(most) + 1;
  const auto safe = (std::numeric_limits<std::uint64_t>::max() - 9) / 10;
  for (; is_digit(*p); ++p) {
    sum = sum > safe ? limit : std::min(10 * sum + static_cast<std::uint64_t>(*p - '0'), limit);
  }
  value = static_cast<Index>(sum);
  return p;
}

template <class Real>
struct Number {
  const char* end = nullptr;  // where it ends, or where it begins if there is none
  Real value = 0;
  bool too_large = false;
};

/// The powers of ten that a type has exactly.
template <class Real>
constexpr int exact_powers = std::is_same_v<Real, float> ? 10 : 22;

template <class Real>
inline Real power_of_ten(int exponent) noexcept {
  static constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  return static_cast<Real>(powers[exponent]);
}

/// What lies in [begin, end), a decimal number without a plus; `large` tells on which side it lies
/// if it is out of range.
template <class Real>
Number<Real> convert(const char* begin, const char* end, bool large) {
  Number<Real> number{end};
#ifdef SPARSEFM_USES_STRTOD
  static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string text(begin, end);  // ends with a zero
  if constexpr (std::is_same_v<Real, float>) {
    number.value = strtof_l(text.c_str(), nullptr, plain);
  } else {
    number.value = strtod_l(text.c_str(), nullptr, plain);
  }
  number.too_large = large && std::isinf(number.value);
#else
  const auto [stop, error] = std::from_chars(begin, end, number.value);
  if (error == std::errc::result_out_of_range) {
    number.too_large = large;
    number.value = *begin == '-' ? -Real{0} : Real{0};
  }
  static_cast<void>(stop);
#endif
  return number;
}

/// Reads a decimal number: a sign, digits, a point, an exponent, of which only some digits must be
/// there.
///
/// One of few digits is the quotient or product of two numbers that the type has exactly, so it is
/// rounded once (Clinger, How to read floating point numbers accurately, 1990).
template <class Real>
Number<Real> read_number(const char* begin) {
  constexpr std::uint64_t most = std::uint64_t{1} << std::numeric_limits<Real>::digits;
  constexpr Index largest_exponent = 1'000'000'000'000;
  const char* p = begin;
  const bool negative = *p == '-';
  if (*p == '+') ++begin;
  if (negative || *p == '+') ++p;

  std::uint64_t digits = 0;  // the first 19 of those that count
  Index significant = 0, fraction = 0;
  const auto add = [&](char c) {
    digits = significant < 19 ? 10 * digits + static_cast<std::uint64_t>(c - '0') : digits;
    significant += digits != 0;
  };
  const char* whole = p;
  for (; is_digit(*p); ++p) add(*p);
  Index count = p - whole;
  if (*p == '.') {
    const char* point = ++p;
    for (; is_digit(*p); ++p) add(*p);
    fraction = p - point;
    count += fraction;
  }
  if (count == 0) return {begin};
  Index exponent = 0;
  if (*p == 'e' || *p == 'E') {
    const char* q = p + 1;
    const bool minus = *q == '-';
    if (minus || *q == '+') ++q;
    if (!is_digit(*q)) return {p};
    q = read_integer(q, largest_exponent, exponent);
    if (minus) exponent = -exponent;
    p = q;
  }
  const Index scale = exponent - fraction;
  constexpr int reach = exact_powers<Real>;
  if (FLT_EVAL_METHOD == 0 && significant <= 19 && digits <= most && -reach <= scale &&
      scale <= reach) {
    const auto whole_number = static_cast<Real>(digits);
    const Real value = scale < 0 ? whole_number / power_of_ten<Real>(static_cast<int>(-scale))
                                 : whole_number * power_of_ten<Real>(static_cast<int>(scale));
    return {p, negative ? -value : value};
  }
  if (digits == 0) return {p, negative ? -Real{0} : Real{0}};
  return convert<Real>(begin, p, significant + scale > 0);
}

}  // namespace sparsefm
