#include "money/printable.hpp"

#include <gmock/gmock.h>

namespace switchyard {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* card_number = "4111111111111111";

TEST(Printable, KeepsWhatIsPrintable) {
  for (const auto* text : {"", "51", "Grüße, 東京 🎉", "a\u00a0b", "do_not_honor", "[card number]"}) {
    EXPECT_EQ(printable(text), text);
  }
  EXPECT_EQ(printable(std::string(255, 'a')), std::string(255, 'a'));
}

TEST(Printable, PutsABlankWhereNothingIsShown) {
  for (const auto* text :
       {"a\nb", "a\tb",
        "a\x1b"
        "b",
        "a\x7f"
        "b",
        "a\u0085b", "a\u200bb", "a\u202eb", "a\u2028b", "a\ufeffb", "a\u2066b", "a\U000e0041b",
        "a\xff"
        "b",
        "a\xc3"
        "b",
        "a\x80"
        "b"}) {
    EXPECT_EQ(printable(text), "a b") << text;
  }
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a b");
  // Overlong, a surrogate, beyond the last character, cut short: each byte by itself.
  for (const auto* text : {"\xc0\xaf", "\xe0\x80"}) EXPECT_EQ(printable(text), "  ");
  for (const auto* text : {"\xed\xa0\x80", "\xe2\x82\x20"}) EXPECT_EQ(printable(text), "   ");
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "    ");
}

TEST(Printable, IsBoundedAndCutsNoCharacter) {
  const auto cut = printable(std::string(100'000, 'a'));
  EXPECT_EQ(cut, std::string(252, 'a') + "...");
  std::string umlauts;
  for (int i = 0; i < 1'000; ++i) umlauts += "ü";
  for (std::size_t most = 0; most < 20; ++most) {
    const auto shown = printable(umlauts, most);
    EXPECT_LE(shown.size(), most);
    EXPECT_THAT(shown, Not(HasSubstr(" "))) << most;
    EXPECT_THAT(shown, EndsWith(std::string("...").substr(0, most)));
  }
}

TEST(Printable, ShowsNoCardNumberAlsoNotAtTheCut) {
  EXPECT_EQ(printable(std::string("card ") + card_number + " declined"), "card [card number] declined");
  EXPECT_EQ(printable("card 4111\n1111\n1111\n1111 declined"), "card [card number] declined");
  for (std::size_t before = 200; before < 300; ++before) {
    const auto shown = printable(std::string(before, ' ') + card_number + std::string(1'000, ' '));
    EXPECT_THAT(shown, Not(HasSubstr("411111"))) << before;
    EXPECT_LE(shown.size(), printable_bytes_max);
  }
}

TEST(Printable, MakesNoCardNumberOfALongerRunOfDigits) {
  const std::string longer = std::string(card_number) + std::string(20, '9');
  EXPECT_EQ(printable(longer), longer);
  EXPECT_EQ(printable(longer, 19), "[card number]...");
}

}  // namespace
}  // namespace switchyard
