#include "http/structured_field.hpp"

#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace switchyard::http {
namespace {

using ::testing::HasSubstr;

TEST(StringItem, IsTheTextBetweenTheQuotesWithItsEscapesUndone) {
  for (const auto& [field, text] : std::vector<std::pair<std::string, std::string>>{
           {R"("")", ""},
           {R"("k")", "k"},
           {R"("a b;c=1,d")", "a b;c=1,d"},
           {R"("a\"b")", R"(a"b)"},
           {R"("a\\b")", R"(a\b)"},
           {R"("\\\"")", R"(\")"},
           {R"(  "k"  )", "k"},
           {R"("~ ")", "~ "},
       }) {
    EXPECT_EQ(parse_string_item(field), text) << field;
  }
}

TEST(StringItem, LeavesParametersOut) {
  for (const char* parameters : {
           ";p=1",
           ";p",
           "; p=1;  q",
           ";*p=1",
           ";p_-.*9=1",
           ";p=-999999999999999",
           ";p=999999999999.999",
           R"(;p="x\"y;z")",
           ";p=token/of:some*kind",
           ";p=*",
           ";p=:YWJj:",
           ";p=::",
           ";p=:YQ==:",
           ";p=:YQ:",
           ";p=?0;q=?1",
           ";p=@1659578233",
           R"(;p=%"f%c3%bc")",
           R"(;p=1;q="x\"y";r=?1;s=:YWJj:)",
       }) {
    EXPECT_EQ(parse_string_item(std::string(R"("k")") + parameters), "k") << parameters;
  }
}

TEST(StringItem, SaysWhatIsWrong) {
  for (const auto& [field, wrong] : std::vector<std::pair<std::string, std::string>>{
           {"", "begin with a quote"},
           {"k", "begin with a quote"},
           {R"("k)", "closing quote is missing"},
           {R"(")", "closing quote is missing"},
           {R"("k\")", "closing quote is missing"},
           {R"("a\b")", "backslash"},
           {"\"a\\", "backslash"},
           {"\"a\tb\"", "printable"},
           {"\"a\x7f\"", "printable"},
           {"\"caf\xc3\xa9\"", "printable"},
           {R"("a""b")", "behind the closing quote"},
           {R"("a"b")", "behind the closing quote"},
           {R"("k" ;p=1)", "behind the closing quote"},
           {"\"k\"\t", "behind the closing quote"},
           {R"("a", "b")", "more than one"},
           {R"("a","b")", "more than one"},
           {R"("k";)", "name of a parameter"},
           {R"("k";P=1)", "name of a parameter"},
           {R"("k";1=1)", "name of a parameter"},
           {R"("k";p=)", "no value"},
           {R"("k";p =1)", "behind the closing quote"},
           {R"("k";p=1.)", "number"},
           {R"("k";p=-)", "number"},
           {R"("k";p=1.2345)", "number"},
           {R"("k";p=1234567890123.1)", "number"},
           {R"("k";p=1234567890123456)", "number"},
           {R"("k";p=@)", "number"},
           {R"("k";p=@1.5)", "behind the closing quote"},
           {R"("k";p="x)", "closing quote"},
           {R"("k";p=:YWJj)", "base64"},
           {R"("k";p=:Y:)", "base64"},
           {R"("k";p=:Y=Q=:)", "base64"},
           {R"("k";p=:Y$==:)", "base64"},
           {R"("k";p=?2)", "boolean"},
           {R"("k";p=?)", "boolean"},
           {R"("k";p=%"%C3")", "display string"},
           {R"("k";p=%"x)", "display string"},
           {R"("k";p=%x)", "display string"},
           {R"("k";p=(1))", "no known kind"},
       }) {
    const auto parsed = parse_string_item(field);
    ASSERT_FALSE(parsed) << field << " was taken as " << *parsed;
    EXPECT_THAT(parsed.error(), HasSubstr(wrong)) << field;
  }
}

}  // namespace
}  // namespace switchyard::http
