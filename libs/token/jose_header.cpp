#include "token/jose_header.hpp"

#include <algorithm>
#include <cctype>
#include <string>
#include <variant>

#include "token/json_members.hpp"

namespace switchyard::token {
namespace {

bool is_jwt_type(const JsonValue& value) {
  const auto* type = std::get_if<std::string>(&value);
  if (type == nullptr) return false;
  return std::ranges::equal(*type, std::string_view("JWT"), {}, [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
}

}  // namespace

std::expected<void, TokenError> check_header(std::string_view json) {
  const auto members = JsonMembers::parse(json);
  if (!members) return std::unexpected(TokenError{TokenErrorCode::invalid_header});

  const JsonValue* algorithm = members->find("alg");
  const auto* name = algorithm == nullptr ? nullptr : std::get_if<std::string>(algorithm);
  if (name == nullptr || *name != "HS256") {
    return std::unexpected(TokenError{TokenErrorCode::algorithm_not_allowed});
  }
  const JsonValue* type = members->find("typ");
  if (type != nullptr && !is_jwt_type(*type))
    return std::unexpected(TokenError{TokenErrorCode::invalid_header});
  if (members->find("crit") != nullptr || members->find("b64") != nullptr) {
    return std::unexpected(TokenError{TokenErrorCode::invalid_header});
  }
  return {};
}

}  // namespace switchyard::token
