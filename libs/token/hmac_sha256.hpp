// HMAC-SHA-256 (RFC 2104, FIPS 198-1) with a key that is prepared once and used for many messages.
//
// Movable; sign() and verify() are const and safe to call from any thread. A failure of the crypto library is
// a broken installation, not an input, and fails an assertion.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

extern "C" struct evp_mac_ctx_st;

namespace switchyard::token {

class HmacSha256 {
 public:
  static constexpr std::size_t size_bytes = 32;
  using Mac = std::array<unsigned char, size_bytes>;

  // The key may be any bytes; it is not kept beyond the prepared context.
  explicit HmacSha256(std::string_view key);

  Mac sign(std::string_view message) const;

  // In constant time for a `mac` of the right size.
  bool verify(std::string_view message, std::string_view mac) const;

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_mac_ctx_st, Free>;

  Context keyed_;
};

}  // namespace switchyard::token
