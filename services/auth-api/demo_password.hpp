// The password of the demo users, which everybody knows.
#pragma once

#include <string_view>

namespace switchyard::auth {

constexpr bool is_demo_password(std::string_view password) {
  return password == "password";
}

}  // namespace switchyard::auth
