// base64url: OpenSSL's base64 in the other alphabet is the oracle; a text has one spelling only.
#include "token/base64url.hpp"

#include <algorithm>
#include <string>

#include <openssl/evp.h>

#include "fuzz/input.hpp"

namespace switchyard::fuzz {
namespace {

std::string encoded_by_openssl(std::string_view bytes) {
  std::string text(bytes.size() / 3 * 4 + 5, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  std::erase(text, '=');
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

}  // namespace

void check(Input input) {
  const auto bytes = input.rest();
  const auto encoded = token::base64url_encode(bytes);
  SWITCHYARD_ASSERT(encoded == encoded_by_openssl(bytes));
  SWITCHYARD_ASSERT(token::base64url_decode(encoded) == bytes);

  const auto decoded = token::base64url_decode(bytes);
  if (decoded) SWITCHYARD_ASSERT(token::base64url_encode(*decoded) == bytes);
}

}  // namespace switchyard::fuzz
