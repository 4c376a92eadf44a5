#include "token/jwt.hpp"

#include <utility>

#include "token/base64url.hpp"
#include "token/jose_header.hpp"

namespace switchyard::token {
namespace {

// base64url of hs256_header. PyJWT and python-jose write the same bytes, so nearly every token begins with
// it.
constexpr std::string_view encoded_hs256_header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

struct Segments {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signing_input;  // header and payload with the dot between them
};

std::unexpected<TokenError> refuse(TokenErrorCode code) {
  return std::unexpected(TokenError{code});
}

std::expected<Segments, TokenError> split(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == token.npos ? token.npos : token.find('.', first + 1);
  if (second == token.npos) return refuse(TokenErrorCode::not_enough_segments);
  if (token.find('.', second + 1) != token.npos) return refuse(TokenErrorCode::too_many_segments);
  return Segments{token.substr(0, first), token.substr(first + 1, second - first - 1),
                  token.substr(second + 1), token.substr(0, second)};
}

std::expected<void, TokenError> check_encoded_header(std::string_view encoded) {
  if (encoded == encoded_hs256_header) return {};
  const auto header = base64url_decode(encoded);
  if (!header) return refuse(TokenErrorCode::invalid_header);
  return check_header(*header);
}

Result<HmacSha256> make_key(std::string_view secret, std::string_view name) {
  if (secret.size() < min_secret_bytes) {
    return fail(ErrorCode::invalid_argument, std::string(name) + " has " + std::to_string(secret.size()) +
                                                 " bytes, at least " + std::to_string(min_secret_bytes) +
                                                 " are needed");
  }
  return HmacSha256(secret);
}

}  // namespace

Jwt::Jwt(HmacSha256 current, std::optional<HmacSha256> previous)
    : current_(std::move(current)), previous_(std::move(previous)) {}

Result<Jwt> Jwt::create(std::string_view secret, std::optional<std::string_view> previous_secret) {
  auto current = make_key(secret, "the secret");
  if (!current) return std::unexpected(current.error());
  if (!previous_secret) return Jwt(std::move(*current), std::nullopt);

  auto previous = make_key(*previous_secret, "the previous secret");
  if (!previous) return std::unexpected(previous.error());
  return Jwt(std::move(*current), std::move(*previous));
}

std::string Jwt::sign(const Claims& claims) const {
  std::string token(encoded_hs256_header);
  token.append(1, '.').append(base64url_encode(encode_claims(claims)));
  const HmacSha256::Mac mac = current_.sign(token);
  return token.append(1, '.').append(
      base64url_encode({reinterpret_cast<const char*>(mac.data()), mac.size()}));
}

std::expected<Claims, TokenError> Jwt::verify(std::string_view token, Timestamp now) const {
  if (token.size() > max_token_bytes) return refuse(TokenErrorCode::too_long);
  const auto segments = split(token);
  if (!segments) return std::unexpected(segments.error());
  if (const auto checked = check_encoded_header(segments->header); !checked) {
    return std::unexpected(checked.error());
  }

  const auto signature = base64url_decode(segments->signature);
  if (!signature || !signature_matches(segments->signing_input, *signature)) {
    return refuse(TokenErrorCode::signature_mismatch);
  }
  const auto payload = base64url_decode(segments->payload);
  if (!payload) return refuse(TokenErrorCode::invalid_payload);
  return decode_claims(*payload, now);
}

bool Jwt::signature_matches(std::string_view signing_input, std::string_view signature) const {
  if (current_.verify(signing_input, signature)) return true;
  return previous_.has_value() && previous_->verify(signing_input, signature);
}

}  // namespace switchyard::token
