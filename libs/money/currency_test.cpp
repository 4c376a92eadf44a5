#include "money/currency.hpp"

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>

#include <gmock/gmock.h>

#include "money/currency_table.hpp"

namespace switchyard {
namespace {

constexpr auto iso_codes_path = "/usr/share/iso-codes/json/iso_4217.json";

// In the package, but without a minor unit: no amount in minor units can exist.
const std::set<std::string> no_minor_unit = {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR",
                                             "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"};
// In older versions of the package, and moved to ISO 4217's list of historic codes since.
const std::set<std::string> withdrawn = {"ANG", "BGN", "CUC", "HRK", "SLL", "ZWL"};
// Amendments 176, 177 and 179, which older versions of the package do not have.
const std::set<std::string> newer_than_the_package = {"XAD", "XCG", "ZWG"};

// The value of `key` in the one-object-a-currency layout of the file.
std::string member(const std::string& object, const std::string& key) {
  const std::string start = "\"" + key + "\": \"";
  const std::size_t begin = object.find(start) + start.size();
  return object.substr(begin, object.find('"', begin) - begin);
}

std::map<std::string, int> read_iso_codes(std::istream& file) {
  std::map<std::string, int> numeric_of;
  for (std::string object; std::getline(file, object, '}');) {
    if (object.find("\"alpha_3\"") == std::string::npos) continue;
    numeric_of[member(object, "alpha_3")] = std::stoi(member(object, "numeric"));
  }
  return numeric_of;
}

class IsoCodesPackage : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(iso_codes_path);
    if (!file) GTEST_SKIP() << "the package iso-codes is not installed: no " << iso_codes_path;
    numeric_of_ = read_iso_codes(file);
    ASSERT_GT(numeric_of_.size(), 150u);
  }

  std::map<std::string, int> numeric_of_;
};

TEST_F(IsoCodesPackage, HasEachCodeOfTheTableWithTheSameNumber) {
  for (const CurrencyRow& row : currency_table) {
    const std::string code(row.code());
    const auto found = numeric_of_.find(code);
    if (found == numeric_of_.end()) {
      EXPECT_THAT(newer_than_the_package, testing::Contains(code));
    } else {
      EXPECT_EQ(found->second, row.numeric) << code;
    }
  }
}

TEST_F(IsoCodesPackage, HasNoCodeThatTheTableForgot) {
  for (const auto& [code, numeric] : numeric_of_) {
    const bool left_out = no_minor_unit.contains(code) || withdrawn.contains(code);
    EXPECT_EQ(Currency::parse(code).has_value(), !left_out) << code;
  }
}

TEST(CurrencyTable, GivesEachNumberToOneCode) {
  std::set<int> numbers;
  for (const CurrencyRow& row : currency_table) EXPECT_TRUE(numbers.insert(row.numeric).second) << row.code();
}

TEST(CurrencyTable, HasTwoDigitsExceptWhereIso4217SaysOtherwise) {
  const std::map<std::string_view, int> others = {
      {"BHD", 3}, {"BIF", 0}, {"CLF", 4}, {"CLP", 0}, {"DJF", 0}, {"GNF", 0}, {"IQD", 3},
      {"ISK", 0}, {"JOD", 3}, {"JPY", 0}, {"KMF", 0}, {"KRW", 0}, {"KWD", 3}, {"LYD", 3},
      {"OMR", 3}, {"PYG", 0}, {"RWF", 0}, {"TND", 3}, {"UGX", 0}, {"UYI", 0}, {"UYW", 4},
      {"VND", 0}, {"VUV", 0}, {"XAF", 0}, {"XOF", 0}, {"XPF", 0}};
  for (const CurrencyRow& row : currency_table) {
    const auto other = others.find(row.code());
    EXPECT_EQ(row.minor_unit_digits, other == others.end() ? 2 : other->second) << row.code();
  }
}

TEST(Currency, GivesBackTheCodeItWasParsedFrom) {
  for (const CurrencyRow& row : currency_table) {
    const auto currency = Currency::parse(row.code());
    ASSERT_TRUE(currency) << row.code();
    EXPECT_EQ(currency->code(), row.code());
    EXPECT_EQ(currency->minor_unit_digits(), row.minor_unit_digits);
  }
}

TEST(Currency, RefusesWhatIsNotThreeUpperCaseLettersOfACurrentCode) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv, "U"sv, "US"sv, "USDX"sv, "usd"sv, "Usd"sv, " USD"sv, "USD "sv, "USD\0"sv,
                          "US\0"sv, "840"sv, "AAA"sv, "ZZZ"sv, "$"sv, "\xff\xff\xff"sv, "\0\0\0"sv}) {
    EXPECT_FALSE(Currency::parse(text)) << text;
  }
}

TEST(Currency, RefusesCodesInWhichNoAmountCanExist) {
  for (const auto& code : no_minor_unit) EXPECT_FALSE(Currency::parse(code)) << code;
  for (const auto& code : withdrawn) EXPECT_FALSE(Currency::parse(code)) << code;
}

TEST(Currency, ReadsWhatWasAcceptedBeforeItsCodeWasWithdrawn) {
  for (const auto& row : withdrawn_table) {
    EXPECT_FALSE(Currency::parse(row.code())) << row.code();
    const auto stored = Currency::parse_stored(row.code());
    ASSERT_TRUE(stored) << row.code();
    EXPECT_EQ(stored->code(), row.code());
    EXPECT_FALSE(stored->is_current());
    EXPECT_EQ(stored->minor_unit_digits(), row.minor_unit_digits);
  }
  for (const auto& code : withdrawn) EXPECT_TRUE(Currency::parse_stored(code)) << code;
  for (const auto& row : currency_table)
    EXPECT_EQ(Currency::parse_stored(row.code()), Currency::parse(row.code()));
  for (const auto& code : no_minor_unit) EXPECT_FALSE(Currency::parse_stored(code)) << code;
  EXPECT_FALSE(Currency::parse_stored("bgn"));
  EXPECT_FALSE(Currency::parse_stored(""));
}

TEST(Currency, IsOrderedByCodeAndCheapToCopy) {
  static_assert(std::is_trivially_copyable_v<Currency>);
  EXPECT_LT(Currency::parse("EUR"), Currency::parse("USD"));
  EXPECT_EQ(Currency::parse("USD"), Currency::parse("USD"));
  EXPECT_NE(Currency::parse("USD"), Currency::parse("USN"));
}

}  // namespace
}  // namespace switchyard
