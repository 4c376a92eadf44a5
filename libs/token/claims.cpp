#include "token/claims.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/assert.hpp"
#include "token/json_members.hpp"

namespace switchyard::token {
namespace {

// 9999-12-31T23:59:59Z: later times do not fit the calendar formats a token's time ends up in.
constexpr std::int64_t max_numeric_date = 253'402'300'799;

template <class T>
std::optional<T> get(const JsonMembers& members, std::string_view name) {
  const JsonValue* value = members.find(name);
  const T* typed = value == nullptr ? nullptr : std::get_if<T>(value);
  return typed == nullptr ? std::nullopt : std::optional<T>(*typed);
}

// A NumericDate: seconds since 1970, an integer or a fraction (RFC 7519, 2); PyJWT's users do write
// fractions.
std::optional<Timestamp> numeric_date(const JsonValue& value) {
  using namespace std::chrono;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    if (*whole < 0 || *whole > max_numeric_date) return std::nullopt;
    return Timestamp(seconds(*whole));
  }
  if (const auto* fraction = std::get_if<double>(&value)) {
    // Written so that NaN fails it as well.
    if (!(*fraction >= 0 && *fraction <= static_cast<double>(max_numeric_date))) return std::nullopt;
    return Timestamp(milliseconds(static_cast<std::int64_t>(*fraction * 1000)));
  }
  return std::nullopt;
}

std::unexpected<TokenError> refuse_claims(TokenErrorCode code) {
  return std::unexpected(TokenError{code});
}

}  // namespace

std::string encode_claims(const Claims& claims) {
  SWITCHYARD_ASSERT(claims.user_id.value > 0);
  SWITCHYARD_ASSERT(claims.username.size() <= max_username_bytes);
  return boost::json::serialize(boost::json::object{
      {"user_id", claims.user_id.value},
      {"username", claims.username},
      {"enabled", claims.enabled},
      {"exp", claims.expires_at.time_since_epoch().count()},
  });
}

std::expected<Claims, TokenError> decode_claims(std::string_view json, Timestamp now) {
  const auto members = JsonMembers::parse(json);
  if (!members) return refuse_claims(TokenErrorCode::invalid_payload);

  const JsonValue* exp = members->find("exp");
  const auto expires_at = exp == nullptr ? std::nullopt : numeric_date(*exp);
  if (!expires_at) return refuse_claims(TokenErrorCode::invalid_claims);
  if (now >= *expires_at) return refuse_claims(TokenErrorCode::expired);

  if (const JsonValue* nbf = members->find("nbf")) {
    const auto valid_from = numeric_date(*nbf);
    if (!valid_from) return refuse_claims(TokenErrorCode::invalid_claims);
    if (now < *valid_from) return refuse_claims(TokenErrorCode::not_yet_valid);
  }

  const auto user_id = get<std::int64_t>(*members, "user_id");
  auto username = get<std::string>(*members, "username");
  const auto enabled = get<bool>(*members, "enabled");
  if (!user_id || *user_id <= 0 || !username || username->size() > max_username_bytes || !enabled) {
    return refuse_claims(TokenErrorCode::invalid_claims);
  }
  return Claims{UserId{*user_id}, std::move(*username), *enabled,
                std::chrono::floor<std::chrono::seconds>(*expires_at)};
}

}  // namespace switchyard::token
