// Which passwords a user may be given. Passwords that users have already are not touched by it.
//
// At least eight characters (NIST SP 800-63B, 5.1.1.2) and at most token::max_password_bytes; in production
// not the one of the demo users. Not blank: POST /token refuses such a one. No rules about what kinds of
// characters: they make people choose worse ones.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "auth-api/demo_password.hpp"
#include "service/request_body.hpp"
#include "token/password.hpp"

namespace switchyard::auth {

inline constexpr std::ptrdiff_t min_password_characters = 8;

// What is wrong with the password, such as "has fewer than 8 characters"; empty if nothing is. A character is
// a code point of UTF-8.
inline std::string new_password_problem(std::string_view password, bool refuse_demo_passwords) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
  const auto characters = std::ssize(password) - std::ranges::count_if(password, continues);
  if (characters < min_password_characters) {
    return fmt::format("has fewer than {} characters", min_password_characters);
  }
  if (password.size() > token::max_password_bytes) {
    return fmt::format("has more than {} bytes", token::max_password_bytes);
  }
  if (service::is_blank(password)) return "is blank";
  if (refuse_demo_passwords && is_demo_password(password)) {
    return "is the one of the demo users, which is refused with SWITCHYARD_ENV=production";
  }
  return {};
}

}  // namespace switchyard::auth
