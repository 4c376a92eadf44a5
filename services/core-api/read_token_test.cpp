#include "core-api/read_token.hpp"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "http/json.hpp"
#include "http/testing.hpp"

namespace switchyard::core {
namespace {

using ::testing::Pair;
using ::testing::StartsWith;

// The token, or status and short message of the refusal, such as "401 Token is blank".
std::string token_of(const std::vector<std::string>& authorization, std::optional<std::string> body) {
  boost::beast::http::fields headers;
  for (const auto& value : authorization) headers.insert("Authorization", value);
  const auto request = http::request_of(http::Method::post, "/transaction", headers);
  const auto parsed = http::parse_json(body.value_or("{}"));
  const auto read = read_token(request, body ? parsed->if_object() : nullptr);
  if (read) return std::string(*read);
  EXPECT_THAT(read.error().headers.back(), Pair("WWW-Authenticate", StartsWith("Bearer")));
  const auto problem = http::parse_json(read.error().body);
  return std::to_string(read.error().status) + " " + problem->at("error").as_string().c_str();
}

TEST(ReadToken, ComesFromTheBodyOrTheHeader) {
  EXPECT_EQ(token_of({}, R"({"token":"t"})"), "t");
  EXPECT_EQ(token_of({"Bearer t"}, "{}"), "t");
  EXPECT_EQ(token_of({"Bearer t"}, std::nullopt), "t");
  EXPECT_EQ(token_of({"Bearer t"}, R"({"token":null})"), "t") << "null is no token";
}

TEST(ReadToken, TakesTheSchemeInAnyCaseAndWithMoreBlanks) {
  for (const char* value : {"bearer t", "BEARER t", "Bearer    t"})
    EXPECT_EQ(token_of({value}, "{}"), "t") << value;
  EXPECT_EQ(token_of({"Bearer a b"}, "{}"), "a b") << "for the check of tokens to refuse";
}

TEST(ReadToken, IsMissing) {
  for (const char* body : {"{}", R"({"token":null})", R"({"token":""})", R"({"token":" "})"}) {
    EXPECT_EQ(token_of({}, body), "401 Token is blank") << body;
    for (const char* value : {"", "Bearer", "Bearer ", "bearer", "Basic YTpi", "Bearert t", "Bearer\tt", "t"})
      EXPECT_EQ(token_of({value}, body), "401 Token is blank") << value << body;
  }
  EXPECT_EQ(token_of({"Basic YTpi"}, std::nullopt), "401 Token is blank");
  for (const char* body : {R"({"token":5})", R"({"token":["t"]})", R"({"token":true})"})
    EXPECT_EQ(token_of({}, body), "401 Token is not a string") << body;
}

TEST(ReadToken, ComesInOneWay) {
  for (const char* body : {R"({"token":"t"})", R"({"token":"u"})", R"({"token":""})", R"({"token":5})"})
    EXPECT_EQ(token_of({"Bearer t"}, body), "400 Two tokens") << body;
  EXPECT_EQ(token_of({"Bearer"}, R"({"token":"t"})"), "400 Two tokens");
  EXPECT_EQ(token_of({"Basic YTpi"}, R"({"token":"t"})"), "t")
      << "what another scheme says is for somebody else";
  for (const auto& body : std::vector<std::optional<std::string>>{"{}", R"({"token":"t"})", std::nullopt}) {
    EXPECT_EQ(token_of({"Bearer t", "Bearer t"}, body), "400 More than one Authorization");
    EXPECT_EQ(token_of({"Basic YTpi", "Bearer t"}, body), "400 More than one Authorization");
  }
}

}  // namespace
}  // namespace switchyard::core
