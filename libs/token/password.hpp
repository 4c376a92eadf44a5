// Password hashing with Argon2id (RFC 9106) in the encoded form "$argon2id$v=19$m=...,t=...,p=1$salt$hash".
//
// Cost: 19 MiB of memory and 2 passes, a setting the OWASP Password Storage Cheat Sheet names as the minimum
// for Argon2id. hash_password and verify_password take that memory and tens of milliseconds of CPU: BLOCKING,
// never call them on an I/O thread. Everything is safe to call from any thread. No password or hash appears
// in an error.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace switchyard::token {

// Longer passwords are refused before they are hashed.
inline constexpr std::size_t max_password_bytes = 1024;

// BLOCKING. Errors: invalid_argument for an empty or too long password, overloaded when the memory is not
// there.
Result<std::string> hash_password(std::string_view password);

// BLOCKING. False for a wrong or too long password, and for a hash that is not Argon2id or cannot be read.
bool verify_password(std::string_view hash, std::string_view password);

// True when the hash was made with another algorithm or at less cost than hash_password uses today, and
// should be replaced at the next successful log-in.
bool needs_rehash(std::string_view hash);

// A well-formed hash, of today's cost, that no password matches. Verifying an unknown user's password against
// it takes as long as for a known user, so that the time does not tell who exists. Lives as long as the
// program.
std::string_view dummy_hash();

}  // namespace switchyard::token
