// The kernels compute on pieces of a vector of factors that fit vector registers.
#pragma once

#include <Eigen/Core>
#include <type_traits>

#include "types.hpp"

namespace sparsefm {

/// `width` neighbouring factors of one feature, held in registers.
template <class Real, int width>
using Lanes = Eigen::Array<Real, width, 1>;

/// sum + a * b with one rounding, where the processor has an instruction for it. The compiler makes
/// none of its own accord (see CMakeLists.txt).
template <class Real, int width>
inline void add_product(Lanes<Real, width>& sum, const Lanes<Real, width>& a,
                        const Lanes<Real, width>& b) noexcept {
  namespace packets = Eigen::internal;
  using Packet = typename packets::find_best_packet<Real, width>::type;
  constexpr int size = packets::unpacket_traits<Packet>::size;
  if constexpr (width % size != 0) {  // a single number
    sum += a * b;
  } else {
    for (int i = 0; i < width; i += size) {
      packets::pstoreu(sum.data() + i, packets::pmadd(packets::ploadu<Packet>(a.data() + i),
                                                      packets::ploadu<Packet>(b.data() + i),
                                                      packets::ploadu<Packet>(sum.data() + i)));
    }
  }
}

/// The factors [0, width) in pieces of the size of an L; the width is a multiple of it.
template <class L>
struct Pieces {
  static constexpr Index width(Index given) noexcept { return given; }

  template <class Body>
  static void visit(Index width, const Body& body) {
    for (Index f = 0; f < width; f += L::SizeAtCompileTime) body.template operator()<L>(f);
  }
};

/// The same where the compiler knows the width: it needs no loops then.
template <class L>
struct OnePiece {
  static constexpr Index width(Index) noexcept { return L::SizeAtCompileTime; }

  template <class Body>
  static void visit(Index, const Body& body) {
    body.template operator()<L>(0);
  }
};

/// The factors [0, width) in pieces of 16, 8 and 4, and the last few one by one.
template <class Real>
struct MixedPieces {
  template <class Body>
  static void visit(Index width, const Body& body) {
    Index f = 0;
    for (; f + 16 <= width; f += 16) body.template operator()<Lanes<Real, 16>>(f);
    for (; f + 8 <= width; f += 8) body.template operator()<Lanes<Real, 8>>(f);
    for (; f + 4 <= width; f += 4) body.template operator()<Lanes<Real, 4>>(f);
    for (; f < width; ++f) body.template operator()<Lanes<Real, 1>>(f);
  }
};

/// Calls `body(pieces)` for a width that is a multiple of 8. Each kind of pieces takes seconds to
/// compile: float has the default rank's and two others, double one.
template <class Real, class Body>
void with_known_pieces(Index width, const Body& body) {
  if constexpr (std::is_same_v<Real, float>) {
    if (width == 16) return body(OnePiece<Lanes<Real, 16>>());
    if (width % 16 == 0) return body(Pieces<Lanes<Real, 16>>());
  }
  body(Pieces<Lanes<Real, 8>>());
}

/// Calls `body(Pieces<L>())` with the largest L of up to 64 bytes that divides `width`, a multiple
/// of 4. It is called once for many rows, so the loops over rows are compiled for each L.
template <class Real, class Body>
void with_pieces(Index width, const Body& body) {
  constexpr int largest = 64 / sizeof(Real);
  if (width % largest == 0) {
    body(Pieces<Lanes<Real, largest>>());
  } else if (width % 8 == 0) {
    body(Pieces<Lanes<Real, 8>>());
  } else {
    body(Pieces<Lanes<Real, 4>>());
  }
}

}  // namespace sparsefm
