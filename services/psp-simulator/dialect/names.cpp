#include "psp-simulator/dialect/names.hpp"

#include <random>

namespace switchyard::psp_simulator {

std::string new_name(std::string_view prefix, std::size_t length, std::string_view alphabet) {
  thread_local std::mt19937_64 random{std::random_device()()};
  std::uniform_int_distribution<std::size_t> any(0, alphabet.size() - 1);
  std::string name(prefix);
  for (std::size_t i = 0; i < length; ++i) name += alphabet[any(random)];
  return name;
}

}  // namespace switchyard::psp_simulator
