#include "token/password.hpp"

#include <array>
#include <cstdio>

#include <sodium.h>

#include "base/assert.hpp"

namespace switchyard::token {
namespace {

constexpr std::size_t memory_bytes = std::size_t{19'456} * 1'024;
constexpr unsigned long long passes = 2;

constexpr std::string_view argon2id_prefix = crypto_pwhash_argon2id_STRPREFIX;

// Idempotent and safe from any thread; fails only where the kernel has no source of randomness.
void require_sodium() {
  SWITCHYARD_ASSERT(sodium_init() >= 0);
}

bool is_argon2id(std::string_view hash) {
  return hash.starts_with(argon2id_prefix) && hash.size() < crypto_pwhash_STRBYTES &&
         hash.find('\0') == hash.npos;
}

}  // namespace

Result<std::string> hash_password(std::string_view password) {
  if (password.empty()) return fail(ErrorCode::invalid_argument, "the password is empty");
  if (password.size() > max_password_bytes)
    return fail(ErrorCode::invalid_argument, "the password is too long");
  require_sodium();
  std::array<char, crypto_pwhash_STRBYTES> hash;
  const int hashed = crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), passes,
                                           memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
  if (hashed != 0) return fail(ErrorCode::overloaded, "not enough memory to hash a password");
  return std::string(hash.data());
}

bool verify_password(std::string_view hash, std::string_view password) {
  if (password.size() > max_password_bytes || !is_argon2id(hash)) return false;
  require_sodium();
  return crypto_pwhash_str_verify(std::string(hash).c_str(), password.data(), password.size()) == 0;
}

bool needs_rehash(std::string_view hash) {
  if (!is_argon2id(hash)) return true;
  require_sodium();
  const std::string text(hash);
  const int difference = crypto_pwhash_str_needs_rehash(text.c_str(), passes, memory_bytes);
  if (difference != 1) return difference != 0;
  unsigned memory_kib = 0;
  unsigned hash_passes = 0;
  const int read = std::sscanf(text.c_str(), "$argon2id$v=%*u$m=%u,t=%u,", &memory_kib, &hash_passes);
  return read != 2 || memory_kib < memory_bytes / 1'024 || hash_passes < passes;
}

std::string_view dummy_hash() {
  // Salt and hash are all zeros: to find a password for it is to invert Argon2id.
  return "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
}

}  // namespace switchyard::token
