#include "core-api/transaction_json.hpp"

#include <random>
#include <string>
#include <vector>

#include <boost/json/serialize.hpp>
#include <fmt/chrono.h>
#include <gmock/gmock.h>

#include "http/json.hpp"

namespace switchyard::core {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* example_id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
constexpr Timestamp created_at{milliseconds(1'700'000'000'007)};
constexpr Timestamp updated_at{milliseconds(1'700'000'001'000)};

payment::Transaction example() {
  return {.id = {*Uuid::parse(example_id)},
          .merchant_id = {1},
          .amount = Money(100, *Currency::parse("USD")),
          .next_action_at = {},
          .reason = {},
          .created_at = created_at,
          .updated_at = updated_at};
}

boost::json::object parse(const std::string& text) {
  auto value = http::parse_json(text);
  EXPECT_TRUE(value && value->is_object()) << text;
  return value && value->is_object() ? value->get_object() : boost::json::object();
}

std::vector<std::string> names_of(const boost::json::object& object) {
  std::vector<std::string> names;
  for (const auto& member : object) names.emplace_back(member.key());
  return names;
}

TEST(TransactionJson, BeginsAsTheReplyOfTheOriginalService) {
  EXPECT_THAT(to_json(example()), StartsWith(R"({"amount":100,"currency":"USD","user_id":1,)"));
}

TEST(TransactionJson, ShowsATransaction) {
  EXPECT_EQ(to_json(example()),
            R"({"amount":100,"currency":"USD","user_id":1,"id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f",)"
            R"("status":"queued","captured_amount":0,"refunded_amount":0,)"
            R"("created_at":"2023-11-14T22:13:20.007Z","updated_at":"2023-11-14T22:13:21.000Z"})");
}

TEST(TransactionJson, ShowsTimesOfEachYearOfFourDigits) {
  auto transaction = example();
  transaction.created_at = Timestamp(std::chrono::seconds(-62'167'219'200));
  transaction.updated_at = Timestamp(milliseconds(253'402'300'799'999));
  EXPECT_THAT(
      to_json(transaction),
      HasSubstr(R"("created_at":"0000-01-01T00:00:00.000Z","updated_at":"9999-12-31T23:59:59.999Z")"));
  transaction.created_at = Timestamp::min();
  transaction.updated_at = Timestamp::max();
  EXPECT_THAT(
      to_json(transaction),
      HasSubstr(R"("created_at":"0000-01-01T00:00:00.000Z","updated_at":"9999-12-31T23:59:59.999Z")"));
}

TEST(TransactionJson, ShowsTimesAsFmtDoes) {
  std::mt19937_64 random(std::random_device{}());
  auto transaction = example();
  for (int i = 0; i < 10'000; ++i) {
    const milliseconds ms(
        std::uniform_int_distribution<std::int64_t>(-62'167'219'200'000, 253'402'300'799'999)(random));
    transaction.created_at = Timestamp(ms);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
    const auto expected = fmt::format(R"("created_at":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z")",
                                      fmt::gmtime(seconds.count()), (ms - seconds).count());
    ASSERT_THAT(to_json(transaction), HasSubstr(expected)) << ms.count();
  }
}

TEST(TransactionJson, ShowsTheMoneyThatWasMoved) {
  auto transaction = example();
  transaction.status = payment::Status::partially_refunded;
  transaction.authorized_minor = 100;
  transaction.captured_minor = 100;
  transaction.refunded_minor = 30;
  const auto object = parse(to_json(transaction));
  EXPECT_EQ(object.at("status").get_string(), "partially_refunded");
  EXPECT_EQ(object.at("captured_amount").get_int64(), 100);
  EXPECT_EQ(object.at("refunded_amount").get_int64(), 30);
}

TEST(TransactionJson, KeepsLargeAmountsExact) {
  auto transaction = example();
  transaction.amount = Money(9'007'199'254'740'993, *Currency::parse("JPY"));
  EXPECT_EQ(parse(to_json(transaction)).at("amount").get_int64(), 9'007'199'254'740'993);
}

TEST(TransactionJson, ShowsAReasonWhateverThePspWrote) {
  auto transaction = example();
  transaction.reason = "51 \"not enough\"\n\x01";
  const auto object = parse(to_json(transaction));
  EXPECT_EQ(object.at("reason").get_string(), "51 \"not enough\"\n\x01");
  EXPECT_FALSE(parse(to_json(example())).contains("reason"));
}

TEST(TransactionJson, ShowsEachAttempt) {
  store::TransactionWithAttempts found{example(), {}};
  EXPECT_TRUE(parse(to_json(found)).at("attempts").get_array().empty());

  found.attempts.push_back({.number = 1,
                            .psp = "simulator",
                            .idempotency_key = "secret-key",
                            .request_fingerprint = "bytes",
                            .status = payment::AttemptStatus::not_sent,
                            .psp_reference = {},
                            .reason = "connection refused",
                            .started_at = created_at,
                            .ended_at = updated_at});
  found.attempts.push_back({.number = 2,
                            .psp = "a \"psp\"",
                            .idempotency_key = "secret-key",
                            .request_fingerprint = "bytes",
                            .status = payment::AttemptStatus::unknown,
                            .look_ups = 3,
                            .psp_reference = "ref\"",
                            .reason = {},
                            .started_at = created_at,
                            .ended_at = {}});
  const auto object = parse(to_json(found));
  EXPECT_EQ(object.at("id").get_string(), example_id);
  const auto& attempts = object.at("attempts").get_array();
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(boost::json::serialize(attempts[0]),
            R"({"number":1,"psp":"simulator","status":"not_sent","reason":"connection refused","look_ups":0,)"
            R"("started_at":"2023-11-14T22:13:20.007Z","ended_at":"2023-11-14T22:13:21.000Z"})");
  EXPECT_EQ(attempts[1].get_object().at("psp").get_string(), "a \"psp\"");
  EXPECT_EQ(attempts[1].get_object().at("psp_reference").get_string(), "ref\"");
  EXPECT_THAT(names_of(attempts[1].get_object()),
              ElementsAre("number", "psp", "status", "psp_reference", "look_ups", "started_at"))
      << "what is sent to the PSP is no merchant's business";
}

TEST(TransactionPageJson, ShowsTheItemsAndWhereTheNextPageBegins) {
  store::TransactionPage page;
  EXPECT_EQ(to_json(page), R"({"items":[],"next_cursor":null})");
  page.items = {example(), example()};
  page.next = TransactionId{*Uuid::parse(example_id)};
  const auto object = parse(to_json(page));
  EXPECT_EQ(object.at("items").get_array().size(), 2U);
  EXPECT_EQ(boost::json::serialize(object.at("items").get_array()[0]), to_json(example()));
  EXPECT_EQ(object.at("next_cursor").get_string(), example_id);
}

}  // namespace
}  // namespace switchyard::core
