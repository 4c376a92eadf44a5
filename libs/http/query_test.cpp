#include "http/query.hpp"

#include <gmock/gmock.h>

namespace switchyard::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "name=value" of each, decoded.
std::vector<std::string> parsed(std::string_view query) {
  const auto parameters = parse_query(query);
  EXPECT_TRUE(parameters) << query;
  std::vector<std::string> pairs;
  for (const auto& [name, value] : parameters.value_or(std::vector<QueryParameter>()))
    pairs.push_back(name + "=" + value);
  return pairs;
}

TEST(ParseQuery, GivesEachParameterInOrder) {
  EXPECT_THAT(parsed(""), IsEmpty());
  EXPECT_THAT(parsed("&&"), IsEmpty());
  EXPECT_THAT(parsed("status=captured&limit=10"), ElementsAre("status=captured", "limit=10"));
  EXPECT_THAT(parsed("a=1&a=2"), ElementsAre("a=1", "a=2"));
  EXPECT_THAT(parsed("a=b=c&&b"), ElementsAre("a=b=c", "b="));
  EXPECT_THAT(parsed("=x"), ElementsAre("=x"));
}

TEST(ParseQuery, UndoesEscapesOfNamesAndValues) {
  EXPECT_THAT(parsed("%73tatus=%63aptured"), ElementsAre("status=captured"));
  EXPECT_THAT(parsed("a=%26%3d%25&b=1+2%2B"), ElementsAre("a=&=%", "b=1 2+"));
  EXPECT_THAT(parsed("a=%00"), ElementsAre(std::string("a=\0", 3)));
}

TEST(ParseQuery, RefusesEscapesThatAreNone) {
  for (const char* query : {"a=%", "a=%4", "a=%4g", "a=%g4", "a=%-1", "a=%+1", "a=% 1", "%=1", "a=1&b=%zz"})
    EXPECT_FALSE(parse_query(query)) << query;
}

TEST(PercentEncoded, IsReadAsTheTextItWas) {
  EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encoded("a b&c=d#?/%+"), "a%20b%26c%3Dd%23%3F%2F%25%2B");
  EXPECT_EQ(percent_encoded("é\r\n"), "%C3%A9%0D%0A");
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const auto encoded = percent_encoded(all);
  EXPECT_THAT(parsed("a=" + encoded), ElementsAre("a=" + all));
}

}  // namespace
}  // namespace switchyard::http
