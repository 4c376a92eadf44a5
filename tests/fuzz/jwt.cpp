// Tokens: what is signed is accepted with the same claims, what is accepted was signed and says so, and one
// changed byte is enough for a refusal. Boost.JSON's parser and OpenSSL's HMAC() are the oracles.
#include "token/jwt.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "fuzz/input.hpp"
#include "token/base64url.hpp"

namespace switchyard::fuzz {
namespace {

using token::Claims;
using token::Jwt;
using token::TokenError;
using token::TokenErrorCode;

namespace json = boost::json;

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view previous_secret = "fedcba9876543210fedcba9876543210";
constexpr Timestamp now{std::chrono::seconds(1'700'000'000)};

std::string mac_of(std::string_view message, std::string_view key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac.data(), &size);
  return {reinterpret_cast<const char*>(mac.data()), size};
}

std::string signed_with(std::string_view key, std::string_view header, std::string_view payload) {
  const auto input = token::base64url_encode(header) + "." + token::base64url_encode(payload);
  return input + "." + token::base64url_encode(mac_of(input, key));
}

json::object object_of(std::string_view text) {
  json::error_code error;
  const auto value = json::parse(json::string_view(text.data(), text.size()), error);
  SWITCHYARD_ASSERT(!error && value.is_object());
  return value.get_object();
}

bool is(const json::value* value, std::string_view text) {
  return value != nullptr && value->is_string() &&
         std::string_view(value->get_string().data(), value->get_string().size()) == text;
}

bool is_jwt(const json::value& value) {
  if (!value.is_string()) return false;
  std::string type(value.get_string());
  for (char& c : type) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return type == "JWT";
}

// What an accepted token must say.
void check_accepted(const Claims& claims, std::string_view header_text, std::string_view payload_text) {
  const auto header = object_of(header_text);
  SWITCHYARD_ASSERT(is(header.if_contains("alg"), "HS256"));
  const auto* type = header.if_contains("typ");
  SWITCHYARD_ASSERT(type == nullptr || is_jwt(*type));
  SWITCHYARD_ASSERT(!header.contains("crit") && !header.contains("b64"));

  const auto payload = object_of(payload_text);
  SWITCHYARD_ASSERT(payload.at("user_id").is_int64() &&
                    payload.at("user_id").get_int64() == claims.user_id.value);
  SWITCHYARD_ASSERT(claims.user_id.value > 0);
  SWITCHYARD_ASSERT(is(payload.if_contains("username"), claims.username));
  SWITCHYARD_ASSERT(claims.username.size() <= token::max_username_bytes);
  SWITCHYARD_ASSERT(payload.at("enabled").is_bool() && payload.at("enabled").get_bool() == claims.enabled);
  const auto expires_at = payload.at("exp").to_number<double>();
  SWITCHYARD_ASSERT(expires_at > 1'700'000'000.0 - 1e-3 &&
                    static_cast<double>(claims.expires_at.time_since_epoch().count()) <= expires_at);
  if (const auto* valid_from = payload.if_contains("nbf")) {
    SWITCHYARD_ASSERT(valid_from->to_number<double>() < 1'700'000'000.0 + 1e-3);
  }
}

void check_changed(const Jwt& jwt, std::string token, std::size_t place, char with) {
  place %= token.size();
  if (token[place] == with) return;
  token[place] = with;
  SWITCHYARD_ASSERT(!jwt.verify(token, now));
}

// Any bytes: nobody who does not know the key makes a token.
void check_raw(const Jwt& jwt, std::string_view token) {
  const auto verified = jwt.verify(token, now);
  SWITCHYARD_ASSERT(verified == jwt.verify(token, now));
  if (!verified) {
    SWITCHYARD_ASSERT(!verified.error().message().empty());
    return;
  }
  const auto input = token.substr(0, token.rfind('.'));
  const auto signature = token::base64url_decode(token.substr(input.size() + 1));
  SWITCHYARD_ASSERT(signature == mac_of(input, secret) || signature == mac_of(input, previous_secret));
}

// Any header and any payload, rightly signed.
void check_signed(const Jwt& jwt, std::string_view header, std::string_view payload, std::size_t place,
                  char with) {
  const auto token = signed_with(secret, header, payload);
  const auto verified = jwt.verify(token, now);
  SWITCHYARD_ASSERT(verified || token.size() > token::max_token_bytes ||
                    verified.error().code != TokenErrorCode::signature_mismatch);
  if (!verified) return;
  check_accepted(*verified, header, payload);
  SWITCHYARD_ASSERT(verified == jwt.verify(signed_with(previous_secret, header, payload), now));
  SWITCHYARD_ASSERT(!jwt.verify(signed_with("0123456789abcdef0123456789abcdeF", header, payload), now));
  check_changed(jwt, token, place, with);
  SWITCHYARD_ASSERT(!jwt.verify(token, verified->expires_at + std::chrono::seconds(1)));
}

void check_round_trip(const Jwt& jwt, std::string_view name, std::size_t place, char with,
                      std::int64_t user_id) {
  const Claims claims{UserId{user_id <= 0 ? 1 : user_id},
                      std::string(name.substr(0, token::max_username_bytes)), (place & 1) != 0,
                      std::chrono::floor<std::chrono::seconds>(now) + std::chrono::seconds(30)};
  const auto token = jwt.sign(claims);
  const auto verified = jwt.verify(token, now);
  json::error_code error;
  json::parse(json::serialize(json::string_view(claims.username.data(), claims.username.size())), error);
  SWITCHYARD_ASSERT(error ? !verified : verified == claims);
  if (!verified) return;
  SWITCHYARD_ASSERT(jwt.verify(token, claims.expires_at - std::chrono::milliseconds(1)) == claims);
  SWITCHYARD_ASSERT(jwt.verify(token, claims.expires_at) ==
                    std::unexpected(TokenError{TokenErrorCode::expired}));
  check_changed(jwt, token, place, with);
}

}  // namespace

// The first line is a header, the rest a payload; together they are also a token as it comes, and a name.
void check(Input input) {
  static const auto jwt = Jwt::create(secret, previous_secret);
  SWITCHYARD_ASSERT(jwt.has_value());
  const auto with = input.number<char>();
  const auto place = input.number<std::uint16_t>();
  const auto user_id = input.number<std::int64_t>();
  auto rest = input;
  const auto all = rest.rest();
  const auto header = input.line();
  const auto payload = input.rest();
  check_raw(*jwt, all);
  check_signed(*jwt, header, payload, place, with);
  check_signed(*jwt, R"({"alg":"HS256","typ":"JWT"})", all, place, with);
  check_round_trip(*jwt, all, place, with, user_id);
}

}  // namespace switchyard::fuzz
