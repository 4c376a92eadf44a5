#include "postgres/statement.hpp"

#include <gtest/gtest.h>

namespace switchyard::postgres {
namespace {

using std::chrono::milliseconds;

TEST(StorableText, LeavesUtf8AsItIs) {
  for (const std::string text :
       {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "a\nb\x01"}) {
    EXPECT_EQ(storable_text(text), text);
  }
}

TEST(StorableText, ReplacesWhatPostgresRefuses) {
  EXPECT_EQ(storable_text(std::string("a\0b", 3)), "a?b");
  EXPECT_EQ(storable_text("a\xff"), "a?");
  EXPECT_EQ(storable_text("\x80"), "?") << "a continuation without a start";
  EXPECT_EQ(storable_text("\xc3"), "?") << "cut off";
  EXPECT_EQ(storable_text("\xc3(x"), "?(x");
  EXPECT_EQ(storable_text("\xe2\x82x"), "??x");
  EXPECT_EQ(storable_text("\xc0\xaf"), "??") << "overlong";
  EXPECT_EQ(storable_text("\xe0\x80\xaf"), "???") << "overlong";
  EXPECT_EQ(storable_text("\xed\xa0\x80"), "???") << "half of a surrogate pair";
  EXPECT_EQ(storable_text("\xf4\x90\x80\x80"), "????") << "beyond U+10FFFF";
}

TEST(PostgresTime, CountsMicrosecondsFrom2000) {
  const Timestamp zero = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);
  EXPECT_EQ(to_postgres(zero), 0);
  EXPECT_EQ(to_postgres(zero + milliseconds(1)), 1000);
  EXPECT_EQ(to_postgres(zero - milliseconds(1)), -1000);
  EXPECT_EQ(from_postgres(1999), zero + milliseconds(1));
  EXPECT_EQ(from_postgres(-1), zero - milliseconds(1));
}

TEST(Column, IsEncodedAsAnArray) {
  Column none(Type::bigint);
  EXPECT_EQ(none.encoded(), std::string("\0\0\0\0\0\0\0\0\0\0\0\x14", 12));
  Column texts(Type::text);
  texts.add(std::string_view("ab"));
  texts.add_null();
  EXPECT_EQ(texts.encoded(), std::string("\0\0\0\1"    // dimensions
                                         "\0\0\0\1"    // has nulls
                                         "\0\0\0\x19"  // text
                                         "\0\0\0\2\0\0\0\1"
                                         "\0\0\0\2"
                                         "ab"
                                         "\xff\xff\xff\xff",
                                         30));
}

}  // namespace
}  // namespace switchyard::postgres
