#include "token/json_members.hpp"

#include <string>

#include <gmock/gmock.h>

namespace switchyard::token {
namespace {

using testing::Pointee;
using testing::VariantWith;

TEST(JsonMembers, KeepsTheTypeThatWasWritten) {
  const auto members = JsonMembers::parse(
      R"( {"int":-1,"big":9223372036854775808,"huge":1e30,"float":1.0,"text":"a\"\u00e9","yes":true,"none":null,)"
      R"("list":[1,{"int":2}],"object":{"text":"inner"}} )");
  ASSERT_TRUE(members);
  EXPECT_THAT(members->find("int"), Pointee(VariantWith<std::int64_t>(-1)));
  EXPECT_THAT(members->find("big"), Pointee(VariantWith<std::uint64_t>(9223372036854775808U)));
  EXPECT_THAT(members->find("huge"), Pointee(VariantWith<double>(1e30)));
  EXPECT_THAT(members->find("float"), Pointee(VariantWith<double>(1.0)));
  EXPECT_THAT(members->find("text"), Pointee(VariantWith<std::string>("a\"\xc3\xa9")));
  EXPECT_THAT(members->find("yes"), Pointee(VariantWith<bool>(true)));
  EXPECT_THAT(members->find("none"), Pointee(VariantWith<OtherJson>(testing::_)));
  EXPECT_THAT(members->find("list"), Pointee(VariantWith<OtherJson>(testing::_)));
  EXPECT_THAT(members->find("object"), Pointee(VariantWith<OtherJson>(testing::_)));
  EXPECT_EQ(members->find("absent"), nullptr);
}

TEST(JsonMembers, RefusesANameThatStandsTwice) {
  EXPECT_FALSE(JsonMembers::parse(R"({"a":1,"a":1})"));
  EXPECT_FALSE(JsonMembers::parse(R"({"a":1,"b":2,"\u0061":3})"));
  EXPECT_TRUE(JsonMembers::parse(R"({"a":{"a":1},"A":2})"));
}

TEST(JsonMembers, RefusesWhatIsNotExactlyOneObject) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv,
                          " "sv,
                          "null"sv,
                          "1"sv,
                          "\"a\""sv,
                          "[]"sv,
                          "[{\"a\":1}]"sv,
                          "{"sv,
                          "{}{}"sv,
                          "{} x"sv,
                          "{}\0"sv,
                          "{\"a\":1,}"sv,
                          "{a:1}"sv,
                          "{'a':1}"sv,
                          "{\"a\":01}"sv,
                          "{\"a\":NaN}"sv,
                          "{\"a\":Infinity}"sv,
                          "{/**/}"sv,
                          "{\"a\":\"\xff\"}"sv,
                          "{\"\xc3\":1}"sv,
                          "{\"a\":\"\\ud800\"}"sv,
                          "{\"a\":\"\n\"}"sv,
                          "\xef\xbb\xbf{}"sv}) {
    EXPECT_FALSE(JsonMembers::parse(text)) << text;
  }
  EXPECT_TRUE(JsonMembers::parse("{}"));
}

TEST(JsonMembers, BoundsDepthAndCount) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(JsonMembers::parse(nested(max_json_depth)));
  EXPECT_FALSE(JsonMembers::parse(nested(max_json_depth + 1)));

  const auto wide = [](std::size_t count) {
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
    return text + "}";
  };
  EXPECT_TRUE(JsonMembers::parse(wide(max_json_members)));
  EXPECT_FALSE(JsonMembers::parse(wide(max_json_members + 1)));
}

}  // namespace
}  // namespace switchyard::token
