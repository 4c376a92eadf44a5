#include "core-api/list_request.hpp"

#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace switchyard::core {
namespace {

using ::testing::HasSubstr;

constexpr const char* id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

TEST(ReadFilter, ReadsEachParameter) {
  const auto none = read_filter("");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->limit, 50U);
  EXPECT_FALSE(none->status || none->currency || none->before);
  const auto all = read_filter(std::string("status=captured&currency=EUR&limit=7&cursor=") + id);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->status, payment::Status::captured);
  EXPECT_EQ(all->currency, Currency::parse("EUR"));
  EXPECT_EQ(all->limit, 7U);
  EXPECT_EQ(all->before->value.to_string(), id);
  EXPECT_EQ(read_filter("%73tatus=%63aptured")->status, payment::Status::captured);
  EXPECT_EQ(read_filter("status=action_required")->status, payment::Status::action_required);
}

TEST(ReadFilter, ReadsReferencesAndTimes) {
  const auto none = read_filter("");
  EXPECT_FALSE(none->created_from || none->created_to);
  EXPECT_EQ(none->reference, "");
  const auto all = read_filter(
      "reference=order+7%C3%BC&created_from=2023-11-14T22:13:20.007Z&created_to=2023-11-14T23:13:21%2B01:00");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->reference, "order 7\xc3\xbc");
  EXPECT_EQ(all->created_from, Timestamp(std::chrono::milliseconds(1'700'000'000'007)));
  EXPECT_EQ(all->created_to, Timestamp(std::chrono::milliseconds(1'700'000'001'000)));
}

TEST(ReadFilter, ReadsAttentionAsWhatAPersonMustLookAt) {
  const auto attention = read_filter("attention=true&limit=7");
  ASSERT_TRUE(attention);
  EXPECT_EQ(attention->status, payment::Status::manual_review);
  EXPECT_EQ(attention->limit, 7U);
  EXPECT_EQ(read_filter("attention=true&status=manual_review")->limit, 50U);
  for (const auto* query :
       {"attention=true&status=captured", "status=captured&attention=true",
        "status=captured&attention=true&limit=7", "limit=7&attention=true&status=captured"}) {
    EXPECT_EQ(read_filter(query)->limit, 0U) << query << ": nothing is both";
  }
}

TEST(ReadFilter, FindsWhatWasTakenBeforeItsCurrencyWasWithdrawn) {
  const auto withdrawn = read_filter("currency=BGN");
  ASSERT_TRUE(withdrawn);
  EXPECT_EQ(withdrawn->currency, Currency::parse_stored("BGN"));
  EXPECT_FALSE(read_filter("currency=XAU")) << "never had a minor unit";
}

TEST(ReadFilter, RefusesWhatWouldReturnSomethingElseThanWasMeant) {
  for (const auto& [query, status, wrong] : std::vector<std::tuple<std::string, unsigned, std::string>>{
           {"stauts=captured", 422,
            R"(perhaps \"status\" was meant; known are: status, currency, limit, cursor, )"
            "reference, created_from, created_to, attention"},
           {"Status=captured", 422, R"(perhaps \"status\" was meant)"},
           {"token=x", 422, R"(\"token\" is not known here)"},
           {"=", 422, R"(\"\" is not known here)"},
           {"4111%2D1111%2D1111%2D1111=x", 422, R"(\"[card number]\" is not known here)"},
           {"status", 422, "Invalid status"},
           {"status=", 422, "Invalid status"},
           {"status=+captured", 422, "Invalid status"},
           {"status=captured,declined", 422, "Invalid status"},
           {"currency=", 422, "Invalid currency code"},
           {"currency=usd", 422, "Invalid currency code"},
           {"currency=%55%53", 422, "Invalid currency code"},
           {"limit=", 422, "Invalid limit"},
           {"limit=0", 422, "Invalid limit"},
           {"limit=101", 422, "Invalid limit"},
           {"limit=-1", 422, "Invalid limit"},
           {"limit=+1", 422, "Invalid limit"},
           {"limit=1.0", 422, "Invalid limit"},
           {"limit=99999999999999999999", 422, "Invalid limit"},
           {"cursor=", 422, "Invalid cursor"},
           {"cursor=x", 422, "Invalid cursor"},
           {"attention=", 422, "Invalid attention"},
           {"attention=false", 422, "Invalid attention"},
           {"reference=", 422, "Invalid reference"},
           {"reference=" + std::string(256, 'x'), 422, "it has 256"},
           {"reference=a%0Ab", 422, "it has a control character"},
           {"reference=a%FF", 422, "it is not UTF-8"},
           {"reference=4111111111111111", 422, "Card number not allowed"},
           {"created_from=2023-11-14", 422, "Invalid created_from"},
           {"created_from=2023-11-14T22:13:20", 422, "such as 2026-01-31T08:00:00Z"},
           {"created_to=2023-11-14T22:13:20+01:00", 422, "a + in a query is written %2B"},
           {"created_to=", 422, "Invalid created_to"},
           {"limit=1&limit=1", 422, R"(send \"limit\" once)"},
           {"status=captured&%73tatus=declined", 422, R"(send \"status\" once)"},
           {"status=%", 400, "Malformed query"},
           {"limit=10%", 400, "Malformed query"},
           {"status=captured&x=%zz", 400, "Malformed query"},
       }) {
    const auto read = read_filter(query);
    ASSERT_FALSE(read) << query;
    EXPECT_EQ(read.error().status, status) << query;
    EXPECT_THAT(read.error().body, HasSubstr(wrong)) << query;
  }
}

}  // namespace
}  // namespace switchyard::core
