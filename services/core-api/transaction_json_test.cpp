#include "core-api/transaction_json.hpp"

#include <random>
#include <string>

#include <boost/json/serialize.hpp>
#include <fmt/chrono.h>
#include <gmock/gmock.h>

#include "http/json.hpp"

namespace switchyard::core {
namespace {

using std::chrono::milliseconds;
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

TEST(TransactionJson, BeginsAsTheReplyOfTheOriginalService) {
  EXPECT_THAT(to_json(example()), StartsWith(R"({"amount":100,"currency":"USD","user_id":1,)"));
}

TEST(TransactionJson, ShowsATransaction) {
  EXPECT_EQ(to_json(example()),
            R"({"amount":100,"currency":"USD","user_id":1,"id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f",)"
            R"("status":"queued","authorized_amount":0,"captured_amount":0,"refunded_amount":0,)"
            R"("created_at":"2023-11-14T22:13:20.007Z","updated_at":"2023-11-14T22:13:21.000Z"})");
}

TEST(TransactionJson, SaysWhichOperationWasAskedFor) {
  auto expected = to_json(example());
  expected.pop_back();
  EXPECT_EQ(to_json(example(), 2), expected + R"(,"operation":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f-2"})");
}

TEST(TransactionJson, SaysWhereTheCustomerIsToBeSent) {
  payment::State state{example(), {{.amount = example().amount}}};
  EXPECT_EQ(to_json_without_operations(state), to_json(example()));
  state.operations.front().action_url = "https://bank.example/3ds?a=\"b";
  const auto next = R"(,"next_action":{"type":"redirect","url":"https://bank.example/3ds?a=\"b"})";
  auto expected = to_json(example());
  expected.pop_back();
  EXPECT_EQ(to_json_without_operations(state), expected + next + "}");
  EXPECT_THAT(to_json(state), HasSubstr(next + std::string(R"(,"operations":[)")));
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
  EXPECT_EQ(object.at("authorized_amount").get_int64(), 100);
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

TEST(TransactionJson, ShowsWhatTheMerchantSaidOfIt) {
  auto transaction = example();
  transaction.reference = "order \"7\"";
  transaction.description = "two chairs";
  transaction.metadata = R"({"b":"1","a":"2"})";
  EXPECT_THAT(to_json(transaction), HasSubstr(R"("refunded_amount":0,"reference":"order \"7\"",)"
                                              R"("description":"two chairs","metadata":{"b":"1","a":"2"},)"));
  EXPECT_TRUE(parse(to_json(transaction)).at("metadata").is_object());
  for (const auto* name : {"reference", "description", "metadata"}) {
    EXPECT_FALSE(parse(to_json(example())).contains(name)) << name;
  }
}

TEST(TransactionJson, ShowsTheAuthorizationThatAQueuedOneStandsFor) {
  const auto object = parse(to_json(payment::State{example(), {}}));
  EXPECT_EQ(boost::json::serialize(object.at("operations")),
            R"([{"id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f-1","number":1,"kind":"authorize","amount":100,)"
            R"("status":"requested","sends":0,"look_ups":0,"requested_at":"2023-11-14T22:13:20.007Z"}])");
}

payment::Operation example_operation() {
  payment::Operation operation{.amount = Money(60, *Currency::parse("USD"))};
  operation.number = 2;
  operation.kind = payment::Kind::refund;
  operation.idempotency_key = "secret-key";
  operation.request = "bytes";
  operation.requested_at = created_at;
  return operation;
}

std::string shown(const payment::Operation& operation) {
  const auto object = parse(to_json(payment::State{example(), {operation}}));
  return boost::json::serialize(object.at("operations").get_array().at(0));
}

TEST(TransactionJson, ShowsAllThatIsKnownOfAnOperation) {
  auto operation = example_operation();
  EXPECT_EQ(shown(operation),
            R"({"id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f-2","number":2,"kind":"refund","amount":60,)"
            R"("status":"requested","sends":0,"look_ups":0,"requested_at":"2023-11-14T22:13:20.007Z"})")
      << "what is sent to the PSP is no merchant's business";

  operation.phase = payment::Phase::manual_review;
  operation.taken_back = true;
  operation.psp = "a \"psp\"";
  operation.psp_reference = "re\"1";
  operation.reason = {"51", "no\nmoney", payment::ReasonKind::soft_decline};
  operation.reference = "r-1";
  operation.note = "too small";
  operation.sends = 2;
  operation.look_ups = 3;
  operation.sent_at = created_at;
  operation.ended_at = updated_at;
  EXPECT_EQ(shown(operation),
            R"({"id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f-2","number":2,"kind":"refund","amount":60,)"
            R"("status":"manual_review","taken_back":true,"psp":"a \"psp\"","psp_reference":"re\"1",)"
            R"("reason":{"code":"51","message":"no\nmoney","kind":"soft_decline"},"reference":"r-1",)"
            R"("note":"too small","sends":2,"look_ups":3,"requested_at":"2023-11-14T22:13:20.007Z",)"
            R"("sent_at":"2023-11-14T22:13:20.007Z","ended_at":"2023-11-14T22:13:21.000Z"})");
}

TEST(TransactionJson, ShowsOfAReasonWhatIsThere) {
  auto operation = example_operation();
  operation.reason = {"", "connection refused", payment::ReasonKind::unknown};
  EXPECT_THAT(shown(operation), HasSubstr(R"("reason":{"message":"connection refused","kind":"unknown"})"));
  operation.reason = {"05", "", payment::ReasonKind::none};
  EXPECT_THAT(shown(operation), HasSubstr(R"("reason":{"code":"05"})"));
}

TEST(TransactionJson, ShowsWhetherACaptureIsFinal) {
  auto operation = example_operation();
  operation.kind = payment::Kind::capture;
  EXPECT_THAT(shown(operation), HasSubstr(R"("amount":60,"final":true,)"));
  operation.is_final = false;
  EXPECT_THAT(shown(operation), HasSubstr(R"("amount":60,"final":false,)"));
}

TEST(TransactionJson, ShowsEachOperationInOrder) {
  payment::State state{example(), {}};
  for (int number = 1; number <= 3; ++number) {
    state.operations.push_back(example_operation());
    state.operations.back().number = number;
  }
  const auto object = parse(to_json(state));
  EXPECT_EQ(object.at("id").get_string(), example_id);
  const auto& operations = object.at("operations").get_array();
  ASSERT_EQ(operations.size(), 3U);
  for (int number = 1; number <= 3; ++number) {
    EXPECT_EQ(operations[static_cast<std::size_t>(number) - 1].get_object().at("number").get_int64(), number);
  }
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
