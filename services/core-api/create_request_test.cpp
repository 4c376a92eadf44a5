#include "core-api/create_request.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "http/json.hpp"
#include "http/testing.hpp"

namespace switchyard::core {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t amount_max = 1'000'000'000'000;

boost::json::object parse(std::string_view text) {
  auto value = http::parse_json(text);
  EXPECT_TRUE(value && value->is_object()) << text;
  return value && value->is_object() ? value->get_object() : boost::json::object();
}

// The status and the short message of a refusal, such as "422 Amount is blank"; empty if it was none.
template <class Result>
std::string refusal(const Result& result) {
  if (result) return "";
  const auto body = parse(result.error().body);
  const auto& message = body.at("error").get_string();
  return std::to_string(result.error().status) + " " + std::string(message.data(), message.size());
}

std::expected<Money, http::Response> money(std::string_view body) {
  return read_money(parse(body), amount_max);
}
std::string with_amount(std::string_view amount) {
  return R"({"amount":)" + std::string(amount) + R"(,"currency":"USD"})";
}
std::string with_currency(std::string_view currency) {
  return R"({"amount":100,"currency":)" + std::string(currency) + "}";
}

// --- Amount and currency -----------------------------------------------------------------------

TEST(ReadMoney, TakesAWholeNumberAsNumberOrString) {
  for (const auto& [amount, minor] : std::vector<std::pair<std::string, std::int64_t>>{
           {"100", 100},
           {R"("100")", 100},
           {"1", 1},
           {R"("1")", 1},
           {"1000000000000", amount_max},
           {R"("1000000000000")", amount_max},
       }) {
    const auto read = money(with_amount(amount));
    ASSERT_TRUE(read) << amount;
    EXPECT_EQ(*read, Money(minor, *Currency::parse("USD")));
  }
  EXPECT_EQ(money(with_currency(R"("JPY")"))->currency().code(), "JPY");
}

TEST(ReadMoney, SaysWhatIsWrongWithTheAmount) {
  for (const auto& [amount, expected] : std::vector<std::pair<std::string, std::string>>{
           {"null", "422 Amount is blank"},
           {R"("")", "422 Amount is blank"},
           {R"("  ")", "422 Amount is blank"},
           {"0", "422 Amount must be positive"},
           {R"("0")", "422 Amount must be positive"},
           {"-1", "422 Amount must be positive"},
           {R"("-1")", "422 Amount must be positive"},
           {"-9223372036854775808", "422 Amount must be positive"},
           {"1000000000001", "422 Amount is too large"},
           {R"("1000000000001")", "422 Amount is too large"},
           {"9223372036854775807", "422 Amount is too large"},
           {"18446744073709551615", "422 Amount is too large"},
           {"1.0", "422 Invalid amount"},
           {"0.5", "422 Invalid amount"},
           {"1e2", "422 Invalid amount"},
           {"true", "422 Invalid amount"},
           {"[100]", "422 Invalid amount"},
           {R"({"minor":100})", "422 Invalid amount"},
           {R"("1.00")", "422 Invalid amount"},
           {R"("1,000")", "422 Invalid amount"},
           {R"("ten")", "422 Invalid amount"},
           {R"("+1")", "422 Invalid amount"},
           {R"("-")", "422 Invalid amount"},
           {R"("--1")", "422 Invalid amount"},
           {R"("007")", "422 Invalid amount"},
           {R"(" 1")", "422 Invalid amount"},
           {R"("1 ")", "422 Invalid amount"},
           {R"("0x10")", "422 Invalid amount"},
           {R"("1e2")", "422 Invalid amount"},
           {R"("1\u0000")", "422 Invalid amount"},
           {R"("\u0661")", "422 Invalid amount"},
           {R"("99999999999999999999")", "422 Amount is too large"},
           {"18446744073709551616", "422 Amount is too large"},
           {"-9223372036854775809", "422 Amount must be positive"},
           {R"("-99999999999999999999")", "422 Amount must be positive"},
           {R"("-0")", "422 Amount must be positive"},
           {R"("099999999999999999999")", "422 Invalid amount"},
       }) {
    EXPECT_EQ(refusal(money(with_amount(amount))), expected) << amount;
  }
  EXPECT_EQ(refusal(money(R"({"currency":"USD"})")), "422 Amount is blank");
  EXPECT_EQ(refusal(money(R"({"Amount":100,"currency":"USD"})")), "422 Amount is blank");
}

TEST(ReadMoney, SaysWhatIsWrongWithTheCurrency) {
  for (const auto& [currency, expected] : std::vector<std::pair<std::string, std::string>>{
           {"null", "422 Currency is blank"},
           {R"("")", "422 Currency is blank"},
           {R"("   ")", "422 Currency is blank"},
           {R"("usd")", "422 Invalid currency code"},
           {R"("US")", "422 Invalid currency code"},
           {R"("USDX")", "422 Invalid currency code"},
           {R"(" USD")", "422 Invalid currency code"},
           {R"("XXX")", "422 Invalid currency code"},
           {R"("XAU")", "422 Invalid currency code"},
           {R"("ZZZ")", "422 Invalid currency code"},
           {"840", "422 Invalid currency code"},
           {"true", "422 Invalid currency code"},
           {R"(["USD"])", "422 Invalid currency code"},
           {R"({"code":"USD"})", "422 Invalid currency code"},
       }) {
    EXPECT_EQ(refusal(money(with_currency(currency))), expected) << currency;
  }
  EXPECT_EQ(refusal(money(R"({"amount":100})")), "422 Currency is blank");
}

TEST(ReadMoney, NamesTheLimitThatApplies) {
  const auto refused = read_money(parse(with_amount("1001")), 1000);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().body, HasSubstr("at most 1000"));
  EXPECT_TRUE(read_money(parse(with_amount("1000")), 1000));
}

// --- Card numbers ------------------------------------------------------------------------------

TEST(RefuseCardNumbers, LooksAtEachTextNameAndNumberAtAnyDepth) {
  for (const char* body : {
           R"({"note":"4111111111111111"})",
           R"({"note":"paid with 4111 1111 1111 1111"})",
           R"({"note":"4111-1111-1111-1111"})",
           R"({"number":4111111111111111})",
           R"({"number":4111111111111111.0})",
           R"({"number":4.111111111111111e15})",
           R"({"amount":"4111111111111111","currency":"USD"})",
           R"({"4111111111111111":1})",
           R"({"a":{"b":[1,{"c":"378282246310005"}]}})",
           R"({"a":[[["5555555555554444"]]]})",
           R"({"a":{"5555555555554444":null}})",
           R"({"token":"4111111111111111"})",
           R"({"note":"\u0034111111111111111"})",
       }) {
    const auto refused = refuse_card_numbers(parse(body));
    ASSERT_FALSE(refused) << body;
    EXPECT_EQ(refusal(refused), "422 Card number not allowed");
    EXPECT_THAT(refused.error().body,
                AllOf(Not(HasSubstr("1111")), Not(HasSubstr("5555")), Not(HasSubstr("0005"))));
  }
}

TEST(RefuseCardNumbers, LetsOrdinaryRequestsPass) {
  for (const char* body : {
           R"({})",
           R"({"amount":100,"currency":"USD","token":"eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.c2ln"})",
           R"({"note":"4111111111111112"})",  // does not pass the Luhn check
           R"({"order":"20240101123456","amount":1000000000000})",
           R"({"id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f"})",
       }) {
    EXPECT_TRUE(refuse_card_numbers(parse(body))) << body;
  }
}

// --- Idempotency-Key ---------------------------------------------------------------------------

std::expected<RequestKey, http::Response> read_key(const std::vector<std::string>& values) {
  boost::beast::http::fields headers;
  for (const auto& value : values) headers.insert("Idempotency-Key", value);
  return read_idempotency_key(http::request_of(http::Method::post, "/transaction", headers));
}
std::string key_of(const std::string& value) {
  const auto read = read_key({value});
  return read ? read->key : refusal(read);
}

TEST(IdempotencyKey, IsOptional) {
  EXPECT_EQ(read_key({})->key, "");
}

TEST(IdempotencyKey, IsTakenBareOrAsAString) {
  EXPECT_EQ(key_of("8e03978e-40d5-43dd-bc93-6894a57f9324"), "8e03978e-40d5-43dd-bc93-6894a57f9324");
  EXPECT_EQ(key_of("\"8e03978e\""), "8e03978e");
  EXPECT_EQ(key_of("a b"), "a b");
  EXPECT_EQ(key_of("k"), "k");
  EXPECT_EQ(key_of(R"("k")"), "k");
  EXPECT_EQ(key_of(R"("k";p=1;q="x\"y";r=?1;s=:YWJj:)"), "k");
  EXPECT_EQ(key_of(R"("a\"b")"), R"(a"b)");
  EXPECT_EQ(key_of(R"("a\\b")"), R"(a\b)");
  EXPECT_EQ(key_of(R"(a\b)"), R"(a\b)") << "nothing is escaped in a bare one";
  EXPECT_EQ(key_of("k;p=1"), "k;p=1") << "nor has it parameters";
}

TEST(IdempotencyKey, IsBoundedAsItIsMeant) {
  EXPECT_EQ(key_of(std::string(255, 'k')), std::string(255, 'k'));
  EXPECT_EQ(key_of("\"" + std::string(255, 'k') + "\";p=1"), std::string(255, 'k'));
  std::string escaped;
  for (int i = 0; i < 255; ++i) escaped += R"(\\)";
  EXPECT_EQ(key_of("\"" + escaped + "\""), std::string(255, '\\'));
  EXPECT_EQ(key_of("\"" + escaped + "k\""), "400 Invalid idempotency key");
}

TEST(IdempotencyKey, RemembersHowItWasReadBefore) {
  EXPECT_EQ(read_key({"k"})->former, "");
  EXPECT_EQ(read_key({R"("k")"})->former, "");
  EXPECT_EQ(read_key({R"("k";p=1)"})->former, R"("k";p=1)");
  EXPECT_EQ(read_key({R"("k";p="1")"})->former, R"(k";p="1)");
  EXPECT_EQ(read_key({R"("a\"b")"})->former, R"(a\"b)");
  EXPECT_EQ(read_key({"\"k\";p=" + std::string(255, 'x')})->former, "") << "it was refused then";
}

TEST(IdempotencyKey, IsRefusedWhenItIsNotOnePrintableValue) {
  for (const auto& [values, wrong] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{""}, "it is blank"},
           {{"   "}, "it is blank"},
           {{R"("")"}, "it is blank"},
           {{R"(" ")"}, "it is blank"},
           {{R"("";p=1)"}, "it is blank"},
           {{std::string(256, 'k')}, "longer than 255"},
           {{"\"" + std::string(256, 'k') + "\""}, "longer than 255"},
           {{"caf\xc3\xa9"}, "not printable ASCII"},
           {{"\"caf\xc3\xa9\""}, "not printable ASCII"},
           {{"a\tb"}, "not printable ASCII"},
           {{"a\x7f"}, "not printable ASCII"},
           {{R"("k)"}, "closing quote is missing"},
           {{R"(""")"}, "behind the closing quote"},
           {{R"("a\b")"}, "backslash"},
           {{R"("a", "b")"}, "more than one value"},
           {{R"("k";P=1)"}, "name of a parameter"},
           {{"one", "two"}, "more than one"},
           {{"same", "same"}, "more than one"}}) {
    const auto read = read_key(values);
    EXPECT_EQ(refusal(read), "400 Invalid idempotency key") << values[0];
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().body, HasSubstr(wrong)) << values[0];
  }
}

TEST(IdempotencyKey, MustNotBeACardNumber) {
  EXPECT_EQ(key_of("4111111111111111"), "422 Card number not allowed");
  EXPECT_EQ(key_of("\"4111 1111 1111 1111\""), "422 Card number not allowed");
  EXPECT_EQ(key_of(R"("k";p="4111111111111111")"), "422 Card number not allowed");
}

// --- What is not known -------------------------------------------------------------------------

TEST(ReadNewTransaction, RefusesWhatIsNotKnownAfterAmountAndCurrency) {
  const auto read = [](std::string_view body, std::string_view query = {}) {
    return read_new_transaction(parse(body), query, amount_max);
  };
  EXPECT_TRUE(read(R"({"amount":100,"currency":"USD","token":"t"})"));
  const auto misspelt = read(R"({"amount":100,"currency":"USD","curency":"EUR"})");
  EXPECT_EQ(refusal(misspelt), "422 Unknown member");
  EXPECT_THAT(
      misspelt.error().body,
      AllOf(HasSubstr("curency"), HasSubstr(R"(perhaps \"currency\" was meant)"),
            HasSubstr("known are: amount, currency, token, capture, reference, description, metadata")));
  EXPECT_EQ(refusal(read(R"({"amount":100,"currency":"USD","note":null})")), "422 Unknown member");
  EXPECT_EQ(refusal(read(R"({"amount":0,"currency":"USD","note":1})")), "422 Amount must be positive");
  EXPECT_EQ(refusal(read(R"({"amount":1,"currency":"X","note":1})")), "422 Invalid currency code");
  EXPECT_EQ(refusal(read(R"({"amount":100,"currency":"USD"})", "token=t")), "422 Unknown query parameter");
  EXPECT_EQ(refusal(read(R"({"amount":100,"currency":"USD"})", "%zz")), "400 Malformed query");
}

// --- The other members of a transaction --------------------------------------------------------

std::expected<NewTransaction, http::Response> with_member(std::string_view member) {
  return read_new_transaction(parse(R"({"amount":100,"currency":"USD",)" + std::string(member) + "}"), "",
                              amount_max);
}

TEST(ReadNewTransaction, TakesWhatIsOptional) {
  const auto plain = read_new_transaction(parse(R"({"amount":100,"currency":"USD"})"), "", amount_max);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->capture_method, payment::CaptureMethod::automatic);
  EXPECT_EQ(plain->reference + plain->description + plain->metadata, "");
  EXPECT_EQ(plain->payment_method + plain->return_url, "");
  const auto full = with_member(
      R"("capture":"manual","reference":"order 7","description":"two \u00fc\"","metadata":{"b":"1","a":""})");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->amount, Money(100, *Currency::parse("USD")));
  EXPECT_EQ(full->capture_method, payment::CaptureMethod::manual);
  EXPECT_EQ(full->reference, "order 7");
  EXPECT_EQ(full->description, "two \u00fc\"");
  EXPECT_EQ(full->metadata, R"({"b":"1","a":""})") << "in the order in which it was sent";
  EXPECT_EQ(with_member(R"("capture":"automatic")")->capture_method, payment::CaptureMethod::automatic);
  EXPECT_EQ(with_member(R"("metadata":{})")->metadata, "{}");
  EXPECT_EQ(with_member(R"("payment_method":{"stripe":"pm_1"})")->payment_method, R"({"stripe":"pm_1"})");
  EXPECT_EQ(with_member(R"("return_url":"https://shop.example")")->return_url, "https://shop.example");
}

TEST(ReadNewTransaction, SaysWhatIsWrongWithTheOtherMembers) {
  for (const auto& [member, expected] : std::vector<std::pair<std::string, std::string>>{
           {R"("capture":null)", "422 Invalid capture"},
           {R"("capture":"")", "422 Invalid capture"},
           {R"("capture":"Manual")", "422 Invalid capture"},
           {R"("capture":true)", "422 Invalid capture"},
           {R"("reference":"")", "422 Invalid reference"},
           {R"("reference":null)", "422 Invalid reference"},
           {R"("reference":7)", "422 Invalid reference"},
           {R"("description":["x"])", "422 Invalid description"},
           {R"("metadata":"x")", "422 Invalid metadata"},
           {R"("metadata":{"a":1})", "422 Invalid metadata"},
           {R"("metadata":{"":"x"})", "422 Invalid metadata"},
           {R"("payment_method":{})", "422 Invalid payment_method"},
           {R"("return_url":"http://example.com")", "422 Invalid return_url"},
           {R"("next_action":{})", "422 Unknown member"},
       }) {
    EXPECT_EQ(refusal(with_member(member)), expected) << member;
  }
  const auto read = read_new_transaction(
      parse(R"({"amount":100,"currency":"USD","capture":"no","reference":""})"), "%zz", amount_max);
  EXPECT_EQ(refusal(read), "422 Invalid capture") << "in the order in which it is told";
}

TEST(ReadNewTransaction, ShowsAnUnknownNameShortAndPrintable) {
  const auto refused = read_new_transaction(
      parse(R"({"amount":1,"currency":"USD","\u001b[31m\"é)" + std::string(10'000, 'x') + R"(":1})"), "", 1);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().body, AllOf(HasSubstr(" [31m?éxxx"), Not(HasSubstr("\x1b"))));
  EXPECT_LT(refused.error().body.size(), 400U);
}

// --- Fingerprint -------------------------------------------------------------------------------

TEST(FingerprintOf, IsTheSameForRequestsThatSayTheSame) {
  const auto original = fingerprint_of(parse(R"({"amount":100,"currency":"USD","meta":{"a":1,"b":[1,2]}})"));
  EXPECT_EQ(original.size(), 32U);
  for (const char* body : {
           R"({ "currency" : "USD", "meta" : {"b":[1, 2],"a":1}, "amount" : 100 })",
           R"({"amount":"100","currency":"USD","meta":{"a":1,"b":[1,2]}})",
           R"({"amount":100,"currency":"USD","meta":{"a":1,"b":[1,2]},"token":"new"})",
           R"({"amount":100,"currency":"\u0055SD","meta":{"a":1,"b":[1,2]}})",
       }) {
    EXPECT_EQ(fingerprint_of(parse(body)), original) << body;
  }
}

TEST(FingerprintOf, DiffersForRequestsThatSaySomethingElse) {
  const std::vector<std::string> bodies{
      R"({"amount":100,"currency":"USD"})",
      R"({"amount":101,"currency":"USD"})",
      R"({"amount":100,"currency":"EUR"})",
      R"({"amount":100,"currency":"USD","capture":"manual"})",
      R"({"amount":100,"currency":"USD","meta":{}})",
      R"({"amount":100,"currency":"USD","meta":[]})",
      R"({"amount":100,"currency":"USD","meta":""})",
      R"({"amount":100,"currency":"USD","meta":null})",
      R"({"amount":100,"currency":"USD","meta":{"token":"x"}})",
      R"({"amount":100,"currency":"USD","meta":{"amount":1}})",
      R"({"amount":100,"currency":"USD","meta":{"amount":"1"}})",
      R"({"amount":100,"currency":"USD","meta":[1,2]})",
      R"({"amount":100,"currency":"USD","meta":[2,1]})",
      R"({"amount":100,"currency":"USD","meta":[[1],2]})",
      R"({"amount":100,"currency":"USD","meta":"[1,2]"})",
  };
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(fingerprint_of(parse(bodies[i])), fingerprint_of(parse(bodies[j])))
          << bodies[i] << " " << bodies[j];
    }
  }
}

TEST(FingerprintOf, OrdersNamesByAllTheirBytes) {
  EXPECT_EQ(fingerprint_of(parse(R"({"a\u0000b":1,"a\u0000c":2})")),
            fingerprint_of(parse(R"({"a\u0000c":2,"a\u0000b":1})")));
}

TEST(FingerprintOf, OfAnOperationIsAlsoOfItsTransactionAndKind) {
  const auto id = [](std::string_view text) { return TransactionId{*Uuid::parse(text)}; };
  const auto one = id("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  const auto other = id("017f22e2-79b0-7cc3-98c4-dc0c0c073990");
  const auto original = fingerprint_of(payment::Kind::capture, one, parse(R"({"amount":10,"token":"x"})"));
  EXPECT_EQ(fingerprint_of(payment::Kind::capture, one, parse(R"({"amount":"10"})")), original);
  EXPECT_NE(fingerprint_of(payment::Kind::refund, one, parse(R"({"amount":10})")), original);
  EXPECT_NE(fingerprint_of(payment::Kind::capture, other, parse(R"({"amount":10})")), original);
  EXPECT_NE(fingerprint_of(payment::Kind::capture, one, parse(R"({"amount":11})")), original);
  EXPECT_NE(fingerprint_of(payment::Kind::capture, one, parse("{}")), original);
  EXPECT_NE(fingerprint_of(parse(R"({"amount":10})")), original);
}

}  // namespace
}  // namespace switchyard::core
