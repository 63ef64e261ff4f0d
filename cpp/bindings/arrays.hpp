// From NumPy arrays to borrowed views, with every check. The core can read them safely.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>

#include "../core/settings.hpp"
#include "../core/types.hpp"
#include "released_gil.hpp"

namespace sparsefm {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

inline void require(bool condition, const std::string& message) {
  if (!condition) throw py::value_error(message);
}

/// `object` as a C-contiguous array of T, never a copy.
template <class T>
Array<T> as_array(const py::handle& object, const std::string& name) {
  if (!py::isinstance<Array<T>>(object)) {
    throw py::type_error(name + " must be a C-contiguous NumPy array of " +
                         py::str(py::dtype::of<T>()).template cast<std::string>() + ", got " +
                         py::repr(py::type::of(object)).template cast<std::string>());
  }
  auto array = py::reinterpret_borrow<Array<T>>(object);
  const bool aligned = reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) == 0;
  require(aligned || array.size() == 0,
          name + " must be aligned: np.require(..., requirements='A')");
  return array;
}

inline void require_shape(const py::array& array, std::initializer_list<Index> shape,
                          const std::string& name) {
  const bool same = array.ndim() == static_cast<py::ssize_t>(shape.size()) &&
                    std::equal(shape.begin(), shape.end(), array.shape());
  if (same) return;
  std::string wanted, found;
  for (const Index n : shape) wanted += std::to_string(n) + ", ";
  for (py::ssize_t n = 0; n < array.ndim(); ++n) found += std::to_string(array.shape(n)) + ", ";
  throw py::value_error(name + " must have shape (" + wanted + "), got (" + found + ")");
}

/// A read-only array of T of the given shape.
template <class T>
const T* input(const py::handle& object, std::initializer_list<Index> shape,
               const std::string& name) {
  const auto array = as_array<T>(object, name);
  require_shape(array, shape, name);
  return array.data();
}

/// A writeable array of T of the given shape.
template <class T>
T* output(const py::handle& object, std::initializer_list<Index> shape, const std::string& name) {
  auto array = as_array<T>(object, name);
  require_shape(array, shape, name);
  require(array.writeable(), name + " must be writeable");
  return array.mutable_data();
}

template <class T>
bool all_finite(const T* numbers, Index size) {
  return std::all_of(numbers, numbers + size, [](T number) { return std::isfinite(number); });
}

constexpr Index max_int32 = std::numeric_limits<std::int32_t>::max();

/// Calls `body.operator()<Real>()` with the type of the array `like`.
template <class Body>
auto for_real(const py::handle& like, const Body& body) {
  if (py::isinstance<Array<float>>(like)) return body.template operator()<float>();
  return body.template operator()<double>();
}

/// A loss or an optimizer, as Python describes it: by its name in the core and its constants.
inline Settings settings_of(const py::handle& described) {
  Settings settings{described.attr("core_name").cast<std::string>(), {}};
  for (const auto item : described.attr("core_constants").cast<py::dict>()) {
    settings.constants[item.first.cast<std::string>()] = item.second.cast<double>();
  }
  return settings;
}

}  // namespace sparsefm
