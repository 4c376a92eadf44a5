#include "psp-simulator/charge_json.hpp"

#include <gmock/gmock.h>

#include "http/json.hpp"
#include "http/testing.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp_simulator {
namespace {

using psp::simulator::Charge;
using ::testing::HasSubstr;

std::expected<Charge, http::Response> read(std::string_view body, std::string_view key = "key-1",
                                           std::string_view content_type = "application/json") {
  boost::beast::http::fields headers;
  if (!key.empty()) headers.set("Idempotency-Key", boost::string_view(key.data(), key.size()));
  headers.set("Content-Type", boost::string_view(content_type.data(), content_type.size()));
  return read_charge_request(http::request_of(http::Method::post, "/charges", headers, body));
}

TEST(ChargeRequest, TakesWhatTheAdapterSends) {
  const Money amount(1234, *Currency::parse("JPY"));
  const auto bytes = payment::request_bytes("reference-1", amount, payment::CaptureMethod::manual);
  const auto charge = read(bytes);
  ASSERT_TRUE(charge);
  EXPECT_EQ(charge->reference, "reference-1");
  EXPECT_EQ(charge->idempotency_key, "key-1");
  EXPECT_EQ(charge->amount, amount);
  EXPECT_EQ(charge->capture_method, payment::CaptureMethod::manual);
  EXPECT_EQ(charge->request_fingerprint.size(), 32);
  EXPECT_NE(read(bytes + " ")->request_fingerprint, charge->request_fingerprint)
      << "another byte, another request";
}

std::string body(std::string_view reference, std::string_view amount, std::string_view currency,
                 std::string_view capture_method) {
  return R"({"reference":)" + std::string(reference) + R"(,"amount":)" + std::string(amount) +
         R"(,"currency":)" + std::string(currency) + R"(,"capture_method":)" + std::string(capture_method) +
         "}";
}
constexpr const char* reference = "\"a\"";
constexpr const char* usd = "\"USD\"";
constexpr const char* automatic = "\"automatic\"";

TEST(ChargeRequest, SaysWhatIsWrong) {
  struct Row {
    std::string body;
    const char* error;
  };
  const std::string long_reference = "\"" + std::string(65, 'a') + "\"";
  for (const auto& [text, error] :
       {Row{body("\"\"", "1", usd, automatic), "reference"}, Row{body("1", "1", usd, automatic), "reference"},
        Row{body("\"a b\"", "1", usd, automatic), "reference"},
        Row{body("\"a\\u0022\"", "1", usd, automatic), "reference"},
        Row{body(long_reference, "1", usd, automatic), "reference"},
        Row{body(reference, "0", usd, automatic), "amount"},
        Row{body(reference, "-1", usd, automatic), "amount"},
        Row{body(reference, "1.5", usd, automatic), "amount"},
        Row{body(reference, "\"1\"", usd, automatic), "amount"},
        Row{body(reference, "1000000000000001", usd, automatic), "amount"},
        Row{body(reference, "1", "\"XXZ\"", automatic), "currency"},
        Row{body(reference, "1", "null", automatic), "currency"},
        Row{body(reference, "1", usd, "\"later\""), "capture_method"},
        Row{body(reference, "1", usd, "null"), "capture_method"}}) {
    const auto charge = read(text);
    ASSERT_FALSE(charge) << text;
    EXPECT_EQ(charge.error().status, 422);
    EXPECT_THAT(charge.error().body, HasSubstr(error));
  }
}

TEST(ChargeRequest, NeedsASaneKeyAndJson) {
  const auto good = body(reference, "1", usd, automatic);
  ASSERT_TRUE(read(good));
  ASSERT_TRUE(read(good, std::string(255, 'k')));
  for (const auto& key : {std::string(), std::string("a b"), std::string("\"a\""), std::string(256, 'k')}) {
    ASSERT_FALSE(read(good, key)) << key;
    EXPECT_EQ(read(good, key).error().status, 400);
  }
  EXPECT_EQ(read("no JSON").error().status, 400);
  EXPECT_EQ(read("[]").error().status, 400);
  EXPECT_EQ(read(good, "key-1", "text/plain").error().status, 415);
}

TEST(ChargeJson, ShowsChargesAndCounts) {
  const Charge approved{.reference = "a",
                        .idempotency_key = "a-1",
                        .amount = Money(100, *Currency::parse("USD")),
                        .code = {},
                        .request_fingerprint = {}};
  EXPECT_EQ(to_json(approved), R"({"id":"sim_a-1","reference":"a","idempotency_key":"a-1","amount":100,)"
                               R"("currency":"USD","capture_method":"automatic","status":"approved"})");
  auto declined = approved;
  declined.approved = false;
  declined.code = "51";
  EXPECT_THAT(to_json(declined), HasSubstr(R"("status":"declined","code":"51","decline_kind":"soft"})"));
  declined.code = "59";
  EXPECT_THAT(to_json(declined), HasSubstr(R"("decline_kind":"hard"})"));
  EXPECT_TRUE(http::parse_json(to_json(std::vector{approved, declined}, true)));
  EXPECT_EQ(to_json(std::vector<Charge>{}, false), R"({"items":[],"more":false})");

  using psp::simulator::ChargeCount;
  const std::vector<ChargeCount> counts{{"a", 2, 1}, {"b", 1, 0}};
  EXPECT_EQ(to_json(counts, true), R"({"items":[{"reference":"a","charges":2,"approved":1},)"
                                   R"({"reference":"b","charges":1,"approved":0}],"next":"b"})");
  EXPECT_EQ(to_json(std::vector<ChargeCount>{}, false), R"({"items":[],"next":null})");
}

}  // namespace
}  // namespace switchyard::psp_simulator
