// A loss or an optimizer as Python describes it: a name and constants.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sparsefm {

struct Settings {
  std::string name;
  std::map<std::string, double, std::less<>> constants;

  double operator[](std::string_view constant) const {
    const auto found = constants.find(constant);
    if (found != constants.end()) return found->second;
    throw std::invalid_argument(name + " needs the constant '" + std::string(constant) + "'");
  }
};

/// A list of classes of one kind, each with a `name`.
template <class... Members>
struct Family {
  /// Calls `body.operator()<Member>()` for the member with this name.
  template <class Body>
  static void visit(std::string_view name, const Body& body) {
    const bool found =
        ((Members::name == name && (body.template operator()<Members>(), true)) || ...);
    if (!found) throw std::invalid_argument("there is no '" + std::string(name) + "'");
  }
};

}  // namespace sparsefm
