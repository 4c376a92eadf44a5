#include "token/hmac_sha256.hpp"

#include <string>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/assert.hpp"

namespace switchyard::token {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

void HmacSha256::Free::operator()(EVP_MAC_CTX* context) const {
  EVP_MAC_CTX_free(context);
}

HmacSha256::HmacSha256(std::string_view key) {
  // An empty key would mean "keep the former key" to EVP_MAC_init.
  SWITCHYARD_ASSERT(!key.empty());
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
  SWITCHYARD_ASSERT(hmac != nullptr);
  keyed_.reset(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);
  SWITCHYARD_ASSERT(keyed_ != nullptr);

  std::string digest = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), digest.size()),
      OSSL_PARAM_construct_end()};
  SWITCHYARD_ASSERT(EVP_MAC_init(keyed_.get(), bytes_of(key), key.size(), parameters) == 1);
}

HmacSha256::Mac HmacSha256::sign(std::string_view message) const {
  // A copy of the keyed context saves hashing the key, and leaves the shared one untouched for other threads.
  const Context context(EVP_MAC_CTX_dup(keyed_.get()));
  SWITCHYARD_ASSERT(context != nullptr);
  Mac mac;
  std::size_t written = 0;
  SWITCHYARD_ASSERT(EVP_MAC_update(context.get(), bytes_of(message), message.size()) == 1);
  SWITCHYARD_ASSERT(EVP_MAC_final(context.get(), mac.data(), &written, mac.size()) == 1);
  SWITCHYARD_ASSERT(written == mac.size());
  return mac;
}

bool HmacSha256::verify(std::string_view message, std::string_view mac) const {
  if (mac.size() != size_bytes) return false;
  const Mac expected = sign(message);
  return CRYPTO_memcmp(expected.data(), mac.data(), expected.size()) == 0;
}

}  // namespace switchyard::token
