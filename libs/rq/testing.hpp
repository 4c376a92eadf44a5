// What the unit tests of RQ's formats share.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::rq {

// The bytes that an even number of hexadecimal digits stand for.
inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

}  // namespace switchyard::rq
