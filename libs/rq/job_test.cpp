#include "rq/job.hpp"

#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "rq/pickle.hpp"
#include "rq/testing.hpp"
#include "rq/zlib.hpp"

namespace switchyard::rq {
namespace {

using ::testing::HasSubstr;

const Timestamp read_at{std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(18) +
                        std::chrono::milliseconds(7)};
const std::string job_id = "01a203e2-74d4-7460-8b11-84d1617194c5";

payment::Transaction reference_transaction() {
  return {.id = {*Uuid::parse(job_id)},
          .merchant_id = {1},
          .amount = Money(100, *Currency::parse("USD")),
          .next_action_at = read_at,
          .created_at = read_at,
          .updated_at = read_at};
}

std::string json_call(std::string_view kwargs) {
  return fmt::format(R"(["__main__.make_transaction",null,[],{{{}}}])", kwargs);
}

std::string call_refusal(std::string_view data) {
  const auto call = read_call(data);
  if (call) return "accepted";
  EXPECT_EQ(call.error().code, ErrorCode::invalid_argument);
  return call.error().detail;
}

TEST(RqJobTest, PicklesTheReferenceCallByteForByte) {
  EXPECT_EQ(
      pickle_call(reference_transaction()),
      from_hex("8005954e00000000000000288c195f5f6d61696e5f5f2e6d616b655f7472616e73616374696f6e944e297d94288c"
               "07757365725f6964944b018c06616d6f756e74944b648c0863757272656e6379948c03555344947574942e"));
}

TEST(RqJobTest, PicklesTextAsPythonDoes) {
  EXPECT_EQ(pickle_text("captured"), from_hex("8005950c000000000000008c086361707475726564942e"));
}

TEST(RqJobTest, WritesTheFieldsThatRqWrites) {
  std::map<std::string_view, std::string> fields;
  for (auto& [name, value] : enqueued_fields(reference_transaction(), read_at + std::chrono::seconds(1))) {
    fields[name] = value;
  }
  EXPECT_EQ(fields["created_at"], "2026-11-22T18:00:00.007000Z");
  EXPECT_EQ(fields["enqueued_at"], "2026-11-22T18:00:01.007000Z");
  EXPECT_EQ(fields["origin"], "default");
  EXPECT_EQ(fields["description"], "__main__.make_transaction(amount=100, currency='USD', user_id=1)");
  EXPECT_EQ(fields["timeout"], "180");
  EXPECT_EQ(fields["status"], "queued");
  EXPECT_EQ(inflate(fields["data"], 1'000).value_or("?"), pickle_call(reference_transaction()));
  for (const auto* empty : {"started_at", "ended_at", "last_heartbeat", "worker_name",
                            "success_callback_name", "failure_callback_name"}) {
    ASSERT_TRUE(fields.contains(empty)) << empty;
    EXPECT_EQ(fields[empty], "") << empty;
  }
  EXPECT_EQ(fields.size(), 13U);
}

TEST(RqJobTest, ReadsWhatItWrites) {
  for (const std::int64_t amount : {1LL, 255LL, 256LL, 70'000LL, 5'000'000'000LL, 1'000'000'000'000'000LL}) {
    auto transaction = reference_transaction();
    transaction.amount = Money(amount, *Currency::parse("JPY"));
    transaction.merchant_id = {amount};
    const auto call = read_call(deflate_stored(pickle_call(transaction)));
    ASSERT_TRUE(call) << call.error().detail;
    EXPECT_EQ(call->amount, transaction.amount);
    EXPECT_EQ(call->merchant_id, transaction.merchant_id);
  }
}

TEST(RqJobTest, ReadsWhatPythonWrites) {
  // zlib.compress(pickle.dumps(...)) with amount='100'; the same as json.dumps() of RQ's JSONSerializer.
  const auto pickled = from_hex(
      "789c6b60991ac400011a3d92f1f1b9899979f1f17ab989d9a9f125458979c589c92599f97953fc346ba768f4b09716a716c5"
      "67a64cf166ec614bcccd2fcd2b99d2c36c686030a58723b9b4a828352fb91228101aec32a5b4648a1e0084d42088");
  const auto json = from_hex(
      "789c15c83b0a80300c00d0ab84cc41eaeaec0dc4a994106a87629b423f83887757c7f72c326789ca3c653903f72adac4f758"
      "140974a444601dc18da385caf1c0056602945c86f61fc67cf4a3d6a0fefa02f76dc5c7bd4b0b1c8c");
  for (const auto& data : {pickled, json, inflate(pickled, 1'000).value(), inflate(json, 1'000).value()}) {
    const auto call = read_call(data);
    ASSERT_TRUE(call) << call.error().detail;
    EXPECT_EQ(call->amount, Money(100, *Currency::parse("USD")));
    EXPECT_EQ(call->merchant_id, MerchantId{1});
  }
}

TEST(RqJobTest, ReadsProtocol2) {
  const auto call =
      read_call(from_hex("80022858190000005f5f6d61696e5f5f2e6d616b655f7472616e73616374696f6e71004e297d7101285"
                         "807000000757365725f696471"
                         "024b015806000000616d6f756e7471034a70110100580800000063757272656e6379710458030000005"
                         "553447105757471062e"));
  ASSERT_TRUE(call) << call.error().detail;
  EXPECT_EQ(call->amount.minor(), 70'000);
}

TEST(RqJobTest, SaysWhatIsWrongWithACall) {
  EXPECT_THAT(call_refusal(""), HasSubstr("ends too early"));
  EXPECT_THAT(call_refusal("\x78garbage"), HasSubstr("not zlib"));
  EXPECT_THAT(call_refusal(deflate_stored("[]")), HasSubstr("no call"));
  EXPECT_THAT(call_refusal("[1"), HasSubstr("no call"));
  EXPECT_THAT(call_refusal(R"(["__main__.make_transaction",null,[]])"), HasSubstr("no call"));
  EXPECT_THAT(call_refusal(R"([1,null,[],{}])"), HasSubstr("no call"));
  EXPECT_THAT(call_refusal(R"(["__main__.make_transaction",1,[],{}])"), HasSubstr("no call"));
  EXPECT_THAT(call_refusal(R"(["os.system",null,["true"],{}])"), HasSubstr("another function"));
  EXPECT_THAT(call_refusal(R"(["__main__.make_transaction",null,[1,100,"USD"],{}])"), HasSubstr("by name"));
  const std::vector<std::pair<std::string, std::string>> wrong{
      {R"("user_id":1,"amount":100)", "takes user_id"},
      {R"("user_id":1,"amount":100,"currency":"USD","extra":1)", "takes user_id"},
      {R"("user_id":1,"amount":100,"curency":"USD")", "takes user_id"},
      {R"("user_id":"1","amount":100,"currency":"USD")", "user_id"},
      {R"("user_id":0,"amount":100,"currency":"USD")", "user_id"},
      {R"("user_id":true,"amount":100,"currency":"USD")", "user_id"},
      {R"("user_id":1,"amount":0,"currency":"USD")", "amount is not positive"},
      {R"("user_id":1,"amount":-5,"currency":"USD")", "amount is not positive"},
      {R"("user_id":1,"amount":"-5","currency":"USD")", "amount "},
      {R"("user_id":1,"amount":1.5,"currency":"USD")", "amount is no whole number"},
      {R"("user_id":1,"amount":true,"currency":"USD")", "amount is no whole number"},
      {R"("user_id":1,"amount":"1e3","currency":"USD")", "amount "},
      {R"("user_id":1,"amount":" 1","currency":"USD")", "amount "},
      {R"("user_id":1,"amount":18446744073709551615,"currency":"USD")", "amount is no whole number"},
      {R"("user_id":1,"amount":100,"currency":"usd")", "currency"},
      {R"("user_id":1,"amount":100,"currency":7)", "currency"},
  };
  for (const auto& [kwargs, reason] : wrong)
    EXPECT_THAT(call_refusal(json_call(kwargs)), HasSubstr(reason)) << kwargs;
}

TEST(RqJobTest, AnAmountMayBeDigits) {
  EXPECT_EQ(read_call(json_call(R"("user_id":1,"amount":"100","currency":"USD")"))->amount.minor(), 100);
}

TEST(RqJobTest, ABombIsRefused) {
  EXPECT_THAT(call_refusal(std::string(1'000'000, 'x')), HasSubstr("too large"));
}

TEST(RqJobTest, BecomesATransaction) {
  const auto data = pickle_call(reference_transaction());
  const auto job = read_job(job_id, data, "2026-11-22T17:00:00.500000Z", read_at);
  ASSERT_TRUE(job);
  const auto& transaction = job->transaction;
  EXPECT_EQ(transaction.id.value.to_string(), job_id);
  EXPECT_EQ(transaction.status, payment::Status::queued);
  EXPECT_EQ(transaction.next_action_at, read_at);
  EXPECT_EQ(format_time(transaction.created_at), "2026-11-22T17:00:00.500000Z");
  EXPECT_EQ(read_job(job_id, data, "yesterday", read_at)->transaction.created_at, read_at);
  for (const auto* later : {"9999-12-31T23:59:60.999999Z", "2100-01-01T00:00:00Z"}) {
    EXPECT_EQ(read_job(job_id, data, later, read_at)->transaction.created_at, read_at) << later;
  }
  for (const auto* before_rq : {"0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2011-10-31T23:59:59Z"}) {
    EXPECT_EQ(format_time(read_job(job_id, data, before_rq, read_at)->transaction.created_at),
              "2011-11-01T00:00:00.000000Z");
  }
}

TEST(RqJobTest, SaysWhichSerializerWroteIt) {
  const auto pickled = pickle_call(reference_transaction());
  const auto json = json_call(R"("user_id":1,"amount":100,"currency":"USD")");
  for (const auto& [data, in_json] : {std::pair(pickled, false), std::pair(json, true)}) {
    EXPECT_EQ(read_job(job_id, data, {}, read_at)->in_json, in_json);
    EXPECT_EQ(read_job(job_id, deflate_stored(data), {}, read_at)->in_json, in_json) << "behind zlib";
  }
}

TEST(RqJobTest, NeedsAnIdThatIsAUuid) {
  const auto data = pickle_call(reference_transaction());
  for (const auto* id :
       {"", "order-17", "01A203E2-74D4-7460-8B11-84D1617194C5", "01a203e274d474608b1184d1617194c5"}) {
    const auto job = read_job(id, data, {}, read_at);
    ASSERT_FALSE(job) << id;
    EXPECT_THAT(job.error().detail, HasSubstr("UUID"));
  }
}

TEST(RqTimeTest, IsWrittenWithSixDigits) {
  EXPECT_EQ(format_time(read_at), "2026-11-22T18:00:00.007000Z");
  EXPECT_EQ(format_time(Timestamp()), "1970-01-01T00:00:00.000000Z");
}

TEST(RqTimeTest, IsWrittenAndReadInEachYearOfFourDigits) {
  for (const auto* text : {"0000-01-01T00:00:00.000000Z", "1677-09-21T00:12:43.145000Z",
                           "2262-04-11T23:47:16.855000Z", "9999-12-31T23:59:59.999000Z"}) {
    const auto time = parse_time(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(format_time(*time), text);
  }
}

TEST(RqTimeTest, IsReadWithAndWithoutAFraction) {
  EXPECT_EQ(parse_time("2026-11-22T18:00:00.007999Z"), read_at);
  EXPECT_EQ(parse_time("2026-11-22T18:00:00Z"), read_at - std::chrono::milliseconds(7));
  for (const auto* text :
       {"", "Z", "2026-11-22", "2026-11-22T18:00:00", "2026-13-22T18:00:00Z", "2026-02-30T18:00:00Z",
        "2026-11-22T24:00:00Z", "2026-11-22T18:60:00Z", "9999-12-31T23:59:60Z", "2026-11-22 18:00:00Z",
        "2026-11-22T18:00:00.1Z", "2026-11-22T18:00:00.-00007Z", "2026-11-22T18:00:00.00000xZ",
        "2026-11-22T18:00:00+00:00"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

}  // namespace
}  // namespace switchyard::rq
