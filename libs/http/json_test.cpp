#include "http/json.hpp"

#include <limits>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

namespace switchyard::http {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// `levels` arrays or objects within each other.
std::string nested_arrays(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}
std::string nested_objects(std::size_t levels) {
  std::string text = "1";
  for (std::size_t i = 0; i < levels; ++i) text = R"({"a":)" + text + "}";
  return text;
}

std::vector<std::string> texts_of(std::string_view json) {
  std::vector<std::string> texts;
  const auto value = parse_json(json);
  EXPECT_TRUE(value) << json;
  if (value) for_each_text(*value, [&texts](std::string_view text) { texts.emplace_back(text); });
  return texts;
}

TEST(ParseJson, ReadsEachKindOfValue) {
  const auto value =
      parse_json(R"( {"text":"a\u00e9\n","number":-7,"half":0.5,"yes":true,"no":false,"none":null,
                                     "list":[1,"two",[]],"object":{"a":{}}} )");
  ASSERT_TRUE(value && value->is_object());
  const auto& object = value->get_object();
  EXPECT_EQ(object.at("text").get_string(), "a\xc3\xa9\n");
  EXPECT_EQ(object.at("number").get_int64(), -7);
  EXPECT_EQ(object.at("half").get_double(), 0.5);
  EXPECT_TRUE(object.at("yes").get_bool());
  EXPECT_FALSE(object.at("no").get_bool());
  EXPECT_TRUE(object.at("none").is_null());
  EXPECT_EQ(object.at("list").get_array().size(), 3U);
  EXPECT_TRUE(object.at("object").get_object().at("a").get_object().empty());
}

TEST(ParseJson, TakesAnyValueAsTheDocument) {
  for (const char* text : {"{}", "[]", "1", "-0", "\"\"", "true", "null", " \t\r\n1 \t\r\n"}) {
    EXPECT_TRUE(parse_json(text)) << text;
  }
}

TEST(ParseJson, BuildsTheValueInTheGivenMemory) {
  std::array<unsigned char, 4096> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  const auto value = parse_json(R"({"a":["a text that is too long to stand in the value itself"]})", &memory);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->storage().get(), &memory);
  EXPECT_EQ(value->get_object().at("a").storage().get(), &memory);
}

TEST(ParseJson, RefusesANameThatStandsTwiceInOneObjectAtAnyDepth) {
  for (const char* text : {
           R"({"a":1,"a":1})",
           R"({"a":1,"b":2,"a":3})",
           R"({"outer":{"a":1,"a":2}})",
           R"([{"a":1},{"a":1,"a":2}])",
           R"({"a":{"b":[{"c":{"d":1,"d":2}}]}})",
           R"({"a":{"x":1},"a":{"x":1,"y":2}})",  // what is dropped with the first one counts as well
           R"({"a":1,"\u0061":2})",               // the same name, written differently
           R"({"":1,"":2})",
       }) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
}

TEST(ParseJson, TakesANameAgainInAnotherObject) {
  EXPECT_TRUE(parse_json(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"A":0})"));
}

TEST(ParseJson, AllowsDepth32AndNotOneMore) {
  EXPECT_TRUE(parse_json(nested_arrays(32)));
  EXPECT_FALSE(parse_json(nested_arrays(33)));
  EXPECT_TRUE(parse_json(nested_objects(32)));
  EXPECT_FALSE(parse_json(nested_objects(33)));
  EXPECT_FALSE(parse_json(nested_arrays(100'000)));
  EXPECT_FALSE(parse_json(std::string(100'000, '[')));
}

TEST(ParseJson, RefusesNumbersThatNoDoubleHolds) {
  for (const char* text : {"1e400", "-1e400", "[1e309]", R"({"amount":1e999999})", "1e99999999999"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
  EXPECT_TRUE(parse_json("1.7976931348623157e308"));
  EXPECT_TRUE(parse_json("1e-400")) << "too small is zero";
}

TEST(ParseJson, KeepsWholeNumbersExactAsLongAsTheyFit) {
  EXPECT_EQ(parse_json("9223372036854775807")->get_int64(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_json("-9223372036854775808")->get_int64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parse_json("9223372036854775808")->get_uint64(), 9223372036854775808ULL);
  EXPECT_EQ(parse_json("18446744073709551615")->get_uint64(), std::numeric_limits<std::uint64_t>::max());
  for (const char* text : {"18446744073709551616", "-9223372036854775809", "1.0", "1e2"}) {
    const auto value = parse_json(text);
    ASSERT_TRUE(value) << text;
    EXPECT_TRUE(value->is_double()) << text << " is no whole number for anybody who asks for one";
  }
}

TEST(ParseJson, RefusesBadUtf8) {
  for (const std::string text : {
           "\"\xff\"",              // no byte of UTF-8
           "\"\xc3\"",              // cut short
           "\"\xc0\xaf\"",          // overlong
           "\"\xed\xa0\x80\"",      // a surrogate
           "\"\xf4\x90\x80\x80\"",  // above U+10FFFF
           R"("\ud800")",           // a lone surrogate, escaped
           R"("\udc00\ud800")",     // the wrong way round
           "{\"\xff\":1}",          // in a name
       }) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
  EXPECT_EQ(parse_json(R"("\ud83d\ude00")")->get_string(), "\xf0\x9f\x98\x80");
}

TEST(ParseJson, RefusesAnythingAfterTheValue) {
  for (const char* text : {"{}x", "{}{}", "1 2", "[] ,", "null null", "{} // done", "\"a\"\"b\""}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
  EXPECT_FALSE(parse_json(std::string_view("{}\0", 3)));
}

TEST(ParseJson, RefusesWhatIsNoJson) {
  for (const char* text : {
           "",
           " ",
           "{",
           "}",
           "[1,]",
           R"({"a":1,})",
           R"({"a"})",
           R"({"a":})",
           "{a:1}",
           "{'a':1}",
           "'a'",
           "01",
           "+1",
           ".5",
           "1.",
           "0x10",
           "NaN",
           "Infinity",
           "-",
           "tru",
           "True",
           "nul",
           "\"a",
           "\"\\x\"",
           "\"\\u12\"",
           "/* */ 1",
           "\xef\xbb\xbf{}",  // a byte order mark
           "\"a\nb\"",        // a line break within a string
       }) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
  EXPECT_FALSE(parse_json(std::string_view("\"a\0b\"", 5)));
}

// `count` members with different names.
std::string members(std::size_t count, std::size_t first = 0) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("{}\"m{}\":1", i == 0 ? "" : ",", first + i);
  return text;
}
std::string elements(std::size_t count) {
  std::string text = "0";
  for (std::size_t i = 1; i < count; ++i) text += ",1";
  return text;
}

TEST(ReadJson, BoundsTheMembersOfOneObject) {
  constexpr JsonBounds bounds{.values_max = 1000, .members_per_object_max = 64};
  EXPECT_TRUE(read_json("{" + members(64) + "}", bounds));
  for (const auto& text : {"{" + members(65) + "}", "[{\"a\":{" + members(65) + "}}]"}) {
    const auto value = read_json(text, bounds);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error(), JsonFault::too_many_members);
  }
}

TEST(ReadJson, BoundsTheValuesInAll) {
  constexpr JsonBounds bounds{.values_max = 100, .members_per_object_max = 64};
  EXPECT_TRUE(read_json("[" + elements(100) + "]", bounds));
  EXPECT_TRUE(read_json("[{" + members(49) + "},{" + members(49) + "}]", bounds));
  for (const auto& text : {"[" + elements(101) + "]", "[{" + members(50) + "},{" + members(49) + "}]",
                           "[" + elements(200'000), "{\"a\":[" + elements(99) + ",[]]}"}) {
    const auto value = read_json(text, bounds);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error(), JsonFault::too_many_values);
  }
  EXPECT_EQ(read_json("[1,", bounds).error(), JsonFault::malformed);
}

TEST(ParseJson, TakesWhatAPeerOrAFileMayHold) {
  EXPECT_TRUE(parse_json("[" + elements(200'000) + "]"));
  EXPECT_TRUE(parse_json("{" + members(256) + "}"));
  EXPECT_FALSE(parse_json("{" + members(257) + "}"));
}

TEST(ForEachText, VisitsNamesStringsAndNumbersAtAnyDepth) {
  EXPECT_THAT(
      texts_of(R"({"a":"b","c":[1,-2,{"d":["e",18446744073709551615]}],"f":4e2,"g":true,"h":null})"),
      UnorderedElementsAre("a", "b", "c", "1", "-2", "d", "e", "18446744073709551615", "f", "400", "g", "h"));
  EXPECT_THAT(texts_of("7"), ElementsAre("7"));
  EXPECT_THAT(texts_of(R"("a\u0000b")"), ElementsAre(std::string("a\0b", 3)));
  EXPECT_TRUE(texts_of("[]").empty());
}

TEST(JsonString, EscapesWhatWouldEndTheString) {
  EXPECT_EQ(json_string("plain"), R"("plain")");
  EXPECT_EQ(json_string("\"\\\n\x01"), R"("\"\\\n\u0001")");
  EXPECT_EQ(json_string(""), R"("")");
}

}  // namespace
}  // namespace switchyard::http
