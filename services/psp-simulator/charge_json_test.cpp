#include "psp-simulator/charge_json.hpp"

#include <gmock/gmock.h>

#include "http/testing.hpp"
#include "psp/simulator/testing.hpp"

namespace switchyard::psp_simulator {
namespace {

using payment::Kind;
using psp::simulator::Charge;
using psp::simulator::Operation;
using psp::simulator::Status;
using ::testing::HasSubstr;

std::expected<Charge, http::Response> read(std::string_view body, std::string_view key = "key-1",
                                           std::string_view content_type = "application/json") {
  boost::beast::http::fields headers;
  if (!key.empty()) headers.set("Idempotency-Key", boost::string_view(key.data(), key.size()));
  headers.set("Content-Type", boost::string_view(content_type.data(), content_type.size()));
  return read_charge_request(http::request_of(http::Method::post, "/charges", headers, body));
}

std::expected<Operation, http::Response> read_operation(Kind kind, std::string_view body,
                                                        std::string_view charge = "sim_key-1",
                                                        std::string_view key = "key-2") {
  boost::beast::http::fields headers;
  if (!key.empty()) headers.set("Idempotency-Key", boost::string_view(key.data(), key.size()));
  headers.set("Content-Type", "application/json");
  auto request = http::request_of(http::Method::post, "/charges/x/y", headers, body);
  request.parameter = charge;
  return read_operation_request(request, kind);
}

TEST(ChargeRequest, TakesWhatTheAdapterSends) {
  const auto step = psp::simulator::step_of(
      {.amount_minor = 1234, .capture_method = payment::CaptureMethod::manual, .currency = "JPY"});
  const auto bytes = step.operation().request;
  const auto charge = read(bytes);
  ASSERT_TRUE(charge);
  EXPECT_EQ(charge->reference, "reference-1");
  EXPECT_EQ(charge->idempotency_key, "key-1");
  EXPECT_EQ(charge->amount, Money(1234, *Currency::parse("JPY")));
  EXPECT_EQ(charge->capture_method, payment::CaptureMethod::manual);
  EXPECT_EQ(charge->request_fingerprint.size(), 32);
  EXPECT_NE(read(bytes + " ")->request_fingerprint, charge->request_fingerprint)
      << "another byte, another request";
}

TEST(OperationRequest, TakesWhatTheAdapterSends) {
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    for (const bool is_final : {true, false}) {
      const auto step = psp::simulator::step_of({.kind = kind, .amount_minor = 40, .is_final = is_final});
      const auto operation = read_operation(kind, step.operation().request);
      ASSERT_TRUE(operation);
      EXPECT_EQ(operation->kind, kind);
      EXPECT_EQ(operation->charge_key, "key-1");
      EXPECT_EQ(operation->idempotency_key, "key-2");
      EXPECT_EQ(operation->is_final, is_final || kind != Kind::capture);
      if (kind == Kind::void_) continue;
      EXPECT_EQ(operation->amount, Money(40, *Currency::parse("USD")));
    }
  }
  EXPECT_TRUE(read_operation(Kind::capture, R"({"amount":1,"currency":"USD"})")->is_final);
}

TEST(OperationRequest, KindChargeAndBodyMakeTheRequest) {
  const std::string bytes = R"({"amount":1,"currency":"USD"})";
  const auto print = read_operation(Kind::refund, bytes)->request_fingerprint;
  EXPECT_EQ(read_operation(Kind::refund, bytes, "sim_key-1", "key-3")->request_fingerprint, print);
  EXPECT_NE(read_operation(Kind::capture, bytes)->request_fingerprint, print);
  EXPECT_NE(read_operation(Kind::refund, bytes, "sim_key-9")->request_fingerprint, print);
  EXPECT_NE(read_operation(Kind::refund, bytes + " ")->request_fingerprint, print);
}

TEST(OperationRequest, SaysWhatIsWrong) {
  const auto status = [](const std::expected<Operation, http::Response>& read) {
    EXPECT_FALSE(read);
    return read.error().status;
  };
  for (const auto kind : {Kind::capture, Kind::refund}) {
    for (const auto* text :
         {"{}", R"({"amount":0,"currency":"USD"})", R"({"amount":"1","currency":"USD"})", R"({"amount":1})",
          R"({"amount":1,"currency":"usd"})", R"({"amount":1,"currency":"USD","final":1})"}) {
      EXPECT_EQ(status(read_operation(kind, text)), 422) << text;
    }
  }
  EXPECT_EQ(status(read_operation(Kind::refund, R"({"amount":1,"currency":"USD","final":true})")), 422);
  EXPECT_EQ(status(read_operation(Kind::capture, R"({"amount":1,"currency":"USD","x":1})")), 422);
  EXPECT_EQ(status(read_operation(Kind::void_, R"({"amount":1})")), 422);
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    EXPECT_EQ(status(read_operation(kind, "no JSON")), 400);
    EXPECT_EQ(status(read_operation(kind, "{}", "sim_key-1", "")), 400);
    for (const auto* charge : {"", "key-1", "sim_", "sim_a%20b"}) {
      EXPECT_EQ(status(read_operation(kind, "{}", charge)), 404) << charge;
    }
  }
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
        Row{body(reference, "1", usd, "\"manual\",\"bogus\":1"), "bogus"},
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
  const Charge approved{
      .reference = "a", .idempotency_key = "a-1", .amount = Money(100, *Currency::parse("USD"))};
  EXPECT_EQ(to_json(approved), R"({"id":"sim_a-1","reference":"a","idempotency_key":"a-1","amount":100,)"
                               R"("currency":"USD","capture_method":"automatic","status":"approved"})");
  auto declined = approved;
  declined.outcome = {.status = Status::declined, .code = "51"};
  EXPECT_THAT(to_json(declined), HasSubstr(R"("status":"declined","code":"51","decline_kind":"soft"})"));
  declined.outcome.code = "59";
  EXPECT_THAT(to_json(declined), HasSubstr(R"("decline_kind":"hard"})"));
  auto pending = approved;
  pending.outcome.status = Status::pending;
  EXPECT_THAT(to_json(pending), HasSubstr(R"("status":"pending"})"));

  using psp::simulator::ChargeCount;
  const std::vector<ChargeCount> counts{{"a", 2, 1, 100, 30, 0}, {"b", 1, 0, 0, 0, 0}};
  EXPECT_EQ(
      to_json(counts, true),
      R"({"items":[{"reference":"a","charges":2,"approved":1,"captured":100,"refunded":30,"voided":0},)"
      R"({"reference":"b","charges":1,"approved":0,"captured":0,"refunded":0,"voided":0}],"next":"b"})");
  EXPECT_EQ(to_json(std::vector<ChargeCount>{}, false), R"({"items":[],"next":null})");
}

TEST(ChargeJson, ShowsOperationsAndTheChargeTheyAreOn) {
  const Operation refund{.kind = Kind::refund,
                         .reference = "a",
                         .charge_key = "a-1",
                         .idempotency_key = "a-2",
                         .amount = Money(30, *Currency::parse("USD"))};
  const std::string shown = R"({"id":"sim_a-2","kind":"refund","charge":"sim_a-1","reference":"a",)"
                            R"("idempotency_key":"a-2","amount":30,"currency":"USD","status":"succeeded"})";
  EXPECT_EQ(to_json(refund), shown);
  auto declined = refund;
  declined.outcome = {.status = Status::declined, .code = "91"};
  EXPECT_THAT(to_json(declined), HasSubstr(R"("status":"declined","code":"91","decline_kind":"soft"})"));
  EXPECT_EQ(to_json(std::optional(refund)), R"({"items":[)" + shown + R"(],"more":false})");
  EXPECT_EQ(to_json(std::optional<Operation>()), R"({"items":[],"more":false})");

  const Charge charge{.reference = "a",
                      .idempotency_key = "a-1",
                      .amount = Money(100, *Currency::parse("USD")),
                      .capture_method = payment::CaptureMethod::manual,
                      .captured_minor = 60,
                      .refunded_minor = 30,
                      .voided_minor = 10};
  EXPECT_EQ(to_json({{charge, {refund}, true}, {charge, {}, false}}, true),
            R"({"items":[{"id":"sim_a-1","reference":"a","idempotency_key":"a-1","amount":100,)"
            R"("currency":"USD","capture_method":"manual","status":"approved","held":30,"captured":60,)"
            R"("refunded":30,"voided":10,"operations":[)" +
                shown +
                R"(],"operations_more":true},{"id":"sim_a-1","reference":"a","idempotency_key":"a-1",)"
                R"("amount":100,"currency":"USD","capture_method":"manual","status":"approved","held":30,)"
                R"("captured":60,"refunded":30,"voided":10,"operations":[],"operations_more":false}],)"
                R"("more":true})");
  EXPECT_EQ(to_json(std::vector<psp::simulator::ListedCharge>{}, false), R"({"items":[],"more":false})");
}

}  // namespace
}  // namespace switchyard::psp_simulator
