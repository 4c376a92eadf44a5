#include "auth-api/username.hpp"

#include <string>

#include <gmock/gmock.h>

namespace switchyard::auth {
namespace {

using ::testing::HasSubstr;

TEST(Username, LettersAndDigitsOfAnyScriptAndVisibleAsciiAreFine) {
  for (const char* name :
       {"alice", "Alice", "a", "alice@example.com", "alice smith", "user-1_2.3", "m\u00fcller",
        "\u03b1\u03bb\u03af\u03ba\u03b7", "\u0430\u043b\u0438\u0441\u0430", "\u611b\u9e97\u7d72",
        "\u05d0\u05dc\u05d9\u05e1", "\u0905\u0932\u093f\u0938", "'; DROP TABLE users; --"}) {
    EXPECT_EQ(username_problem(name), "") << name;
  }
  EXPECT_EQ(username_problem(std::string(256, 'x')), "");
}

TEST(Username, SaysWhatIsWrong) {
  EXPECT_THAT(username_problem(""), HasSubstr("empty"));
  EXPECT_THAT(username_problem(std::string(257, 'x')), HasSubstr("256 bytes"));
  EXPECT_THAT(username_problem("al\xffice"), HasSubstr("not UTF-8"));
  EXPECT_THAT(username_problem("\xed\xa0\x80"), HasSubstr("not UTF-8")) << "a surrogate";
  EXPECT_THAT(username_problem("\xc0\xaf"), HasSubstr("not UTF-8")) << "overlong";
  EXPECT_THAT(username_problem("jose\u0301"), HasSubstr("normal form C"));
  EXPECT_THAT(username_problem(" alice"), HasSubstr("blank"));
  EXPECT_THAT(username_problem("alice "), HasSubstr("blank"));
  EXPECT_THAT(username_problem(" "), HasSubstr("blank"));
  EXPECT_THAT(username_problem("alice  smith"), HasSubstr("two blanks"));
  EXPECT_THAT(username_problem("alice\u202e"), HasSubstr("U+202E"));
}

TEST(Username, ANameFromRightToLeftIsOneThroughout) {
  for (const char* name : {"\u05d0\u05dc\u05d9\u05e1", "\u0623\u0644\u064a\u0633", "\u05d0\u05dc 7",
                           "\u05d0\u05dc\u05b0", "\u0623\u0661"}) {
    EXPECT_EQ(username_problem(name), "") << name;
  }
  for (const char* name : {"a\u05d0a", "\u05d0a\u05d0", "a\u05d0", "\u05d0.", "1\u05d0", "al\u0661", "\u0661",
                           "\u0623\u0644\u0663"
                           "1"}) {
    EXPECT_THAT(username_problem(name), HasSubstr("RFC 5893")) << name;
  }
}

TEST(Username, WhatOnlyStretchesOrRepeatsIsRefused) {
  for (const char* name : {"\u0623\u0640\u0644", "\u07ca\u07fa", "\u3042\u3031", "\u3042\u303b"}) {
    EXPECT_THAT(username_problem(name), HasSubstr("holds the character")) << name;
  }
  EXPECT_THAT(username_problem("\u0301a"), HasSubstr("begins with a mark"));
  EXPECT_THAT(username_problem("\u0623\u0661\u06f1"), HasSubstr("Arabic-Indic"));
}

TEST(Username, WhatCannotBeSeenOrLooksLikeSomethingElseIsRefused) {
  for (const std::string name :
       {"a\u200bb",     "a\u200db", "a\u00adb", "a\u2060b", "\ufeffab", "a\u034fb",   "a\ufe0fb",
        "a\u115fb",     "a\u3164b", "a\u202ab", "a\u2066b", "a\u200eb", "a\u061cb",   "a\nb",
        "a\tb",         "a\x7f",    "a\u0085b", "a\u00a0b", "a\u3000b", "a\u2003b",   "a\u2028b",
        "\uff41lice",   "\ufb01x",  "\u212b",   "\u00b2x",  "\u20ac",   "\U0001f600", "a\ue000b",
        "a\U000e0061b", "a\u0378b", "a\uffffb"}) {
    EXPECT_NE(username_problem(name), "") << name;
  }
  EXPECT_NE(username_problem(std::string("a\0b", 3)), "");
}

}  // namespace
}  // namespace switchyard::auth
