#include "core-api/text_member.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "http/json.hpp"

namespace switchyard::core {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(WhyUnfit, CountsCharactersAndNotBytes) {
  constexpr TextBounds bounds{.least = 1, .most = 255};
  for (const auto* character : {"x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x8f\xa6"}) {
    EXPECT_EQ(why_unfit(character, bounds), "");
    EXPECT_EQ(why_unfit(repeated(character, 255), bounds), "");
    EXPECT_EQ(why_unfit(repeated(character, 256), bounds), "it has 256");
  }
  EXPECT_EQ(why_unfit("", bounds), "it is empty");
  EXPECT_EQ(why_unfit("", {.least = 0, .most = 1}), "");
}

TEST(WhyUnfit, RefusesControlCharactersAndWhatIsNoUtf8) {
  constexpr TextBounds bounds{.least = 1, .most = 255};
  using namespace std::string_view_literals;
  for (const auto text :
       {"a\0b"sv, "\x01"sv, "\t"sv, "a\n"sv, "\x1b[31m"sv, "\x1f"sv, "\x7f"sv, "\xc2\x80"sv, "\xc2\x9f"sv}) {
    EXPECT_EQ(why_unfit(text, bounds), "it has a control character") << text;
  }
  for (const auto text : {"\xff"sv, "\xc3"sv, "\xed\xa0\x80"sv, "\xc0\x80"sv, "a\x80"sv}) {
    EXPECT_EQ(why_unfit(text, bounds), "it is not UTF-8") << text;
  }
  for (const auto text : {" "sv, "~"sv, "\xc2\xa0"sv, "\xe2\x80\xa8"sv, "\\\"'<>"sv}) {
    EXPECT_EQ(why_unfit(text, bounds), "") << text;
  }
}

boost::json::value read(const std::string& text) {
  return http::parse_json(text).value();
}

TEST(ReadText, SaysWhatItMustBe) {
  constexpr TextBounds bounds{.least = 1, .most = 3};
  const auto body = read(R"({"long":"abcd","number":7,"right":"abc"})");
  EXPECT_EQ(read_text(body.as_object(), "right", bounds), "abc");
  EXPECT_EQ(read_text(body.as_object(), "missing", bounds), "");
  const auto refused = read_text(body.as_object(), "long", bounds);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 422U);
  EXPECT_THAT(
      refused.error().body,
      AllOf(HasSubstr(R"("error":"Invalid long")"),
            HasSubstr("long must be a string of 1 to 3 characters without control characters: it has 4")));
  EXPECT_THAT(read_text(body.as_object(), "number", bounds).error().body, HasSubstr("it is not a string"));
}

std::expected<std::string, http::Response> metadata(const std::string& object) {
  const auto body = read(R"({"metadata":)" + object + "}");
  return read_metadata(body.as_object());
}

std::string with_members(int count) {
  std::string object = "{";
  for (int i = 0; i < count; ++i) object += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":"x")";
  return object + "}";
}

TEST(ReadMetadata, TakesUpToFiftyStrings) {
  EXPECT_EQ(metadata(R"({ "b" : "2", "a" : "\u0031\n" })").has_value(), false) << "a line's end";
  EXPECT_EQ(metadata(R"({ "b" : "2", "a" : "\u0031\"" })"), R"({"b":"2","a":"1\""})");
  EXPECT_EQ(metadata(with_members(50)), with_members(50));
  const std::string longest =
      R"({")" + repeated("\xc3\xbc", 40) + R"(":")" + repeated("\xc3\xbc", 500) + R"("})";
  EXPECT_EQ(metadata(longest), longest);
}

TEST(ReadMetadata, SaysWhichIsWrong) {
  for (
      const auto& [object, wrong] : std::vector<std::pair<std::string, std::string>>{
          {with_members(51), "at most 50 strings: it has 51 members"},
          {"null", "it is not an object"},
          {"[]", "it is not an object"},
          {R"({"a":"x","n":7})",
           R"(the value of \"n\" in metadata must be a string of at most 500 characters)"},
          {R"({"a":null})", "it is not a string"},
          {R"({"a":{"b":"c"}})", "it is not a string"},
          {R"({"a":")" + repeated("x", 501) + R"("})", "it has 501"},
          {R"({")" + repeated("x", 41) + R"(":""})",
           "a name in metadata must be a string of 1 to 40 characters without control characters: it has 41"},
          {R"({"":"x"})", "it is empty"},
          {R"({"\u0001":"x"})", "it has a control character"},
          {R"({"a":"\u0000"})", "it has a control character"},
      }) {
    const auto refused = metadata(object);
    ASSERT_FALSE(refused) << object;
    EXPECT_EQ(refused.error().status, 422U);
    EXPECT_THAT(refused.error().body, AllOf(HasSubstr("Invalid metadata"), HasSubstr(wrong))) << object;
  }
}

}  // namespace
}  // namespace switchyard::core
