#include "core-api/openapi.hpp"

#include <algorithm>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "core-api/create_request.hpp"
#include "core-api/list_request.hpp"
#include "http/json.hpp"
#include "http/testing.hpp"

namespace switchyard::core {
namespace {

// The value at a path of names such as {"components", "schemas"}.
boost::json::value document_at(std::initializer_list<std::string_view> path) {
  auto value = http::parse_json(openapi_document).value();
  for (const auto name : path) {
    const boost::json::value below = value.as_object().at(boost::json::string_view(name.data(), name.size()));
    value = below;
  }
  return value;
}

// All words of three letters that `take` takes.
template <class Take>
std::vector<std::string> currencies(Take take) {
  std::vector<std::string> codes;
  for (char a = 'A'; a <= 'Z'; ++a) {
    for (char b = 'A'; b <= 'Z'; ++b) {
      for (char c = 'A'; c <= 'Z'; ++c) {
        const std::string code{a, b, c};
        if (take(code)) codes.push_back(code);
      }
    }
  }
  return codes;
}

std::vector<std::string> currencies_of(std::string_view schema) {
  std::vector<std::string> listed;
  const auto codes = document_at({"components", "schemas", schema, "enum"});
  for (const auto& code : codes.as_array()) listed.emplace_back(code.as_string().c_str());
  return listed;
}

TEST(OpenApi, HasTheCurrenciesThatAreTaken) {
  const auto taken = currencies([](const std::string& code) {
    const auto body = http::parse_json(R"({"amount":1,"currency":")" + code + "\"}").value();
    return read_money(body.as_object(), 1).has_value();
  });
  EXPECT_EQ(currencies_of("CurrentCurrency"), taken);
}

TEST(OpenApi, HasTheCurrenciesThatAListIsFilteredBy) {
  const auto taken =
      currencies([](const std::string& code) { return read_filter("currency=" + code).has_value(); });
  auto listed = currencies_of("CurrentCurrency");
  std::ranges::copy(currencies_of("WithdrawnCurrency"), std::back_inserter(listed));
  std::ranges::sort(listed);
  EXPECT_EQ(listed, taken);
}

TEST(OpenApi, HasTheIdempotencyKeysThatAreTaken) {
  const auto key_pattern = document_at({"components", "parameters", "IdempotencyKey", "schema", "pattern"});
  const std::regex pattern(key_pattern.as_string().c_str());
  for (const std::string& key : {std::string("k"),
                                 std::string("a b"),
                                 std::string("k;p=1"),
                                 std::string(R"(a"b)"),
                                 std::string(255, 'k'),
                                 std::string(256, 'k'),
                                 std::string(),
                                 std::string("\""),
                                 std::string(R"("")"),
                                 std::string(R"("  ")"),
                                 std::string(R"("k")"),
                                 std::string(R"(" k ")"),
                                 std::string(R"("a\"b")"),
                                 std::string(R"("a\b")"),
                                 std::string(R"("a"b")"),
                                 std::string(R"("k)"),
                                 std::string(R"("k\")"),
                                 std::string("k\x7f"),
                                 std::string("caf\xc3\xa9"),
                                 std::string(R"("k";p)"),
                                 std::string(R"("k"; p=1;q="x\"y")"),
                                 std::string(R"("k";r=?1;s=:YWJj:;t=@5;u=tok/en;v=1.5;w=%"%c3%bc")"),
                                 std::string(R"("k";P=1)"),
                                 std::string(R"("k";p=)"),
                                 std::string(R"("k";p=?2)"),
                                 std::string(R"("k";s=:Y:)"),
                                 std::string(R"("k" x)"),
                                 std::string(R"("k", "l")"),
                                 std::string(R"("k";v=1.2345)"),
                                 std::string(R"("k";w=%"%C3")")}) {
    boost::beast::http::fields headers;
    headers.insert("Idempotency-Key", key);
    const auto read = read_idempotency_key(http::request_of(http::Method::post, "/transaction", headers));
    EXPECT_EQ(std::regex_match(key, pattern), read.has_value()) << key;
  }
}

}  // namespace
}  // namespace switchyard::core
