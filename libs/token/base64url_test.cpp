#include "token/base64url.hpp"

#include <random>
#include <string>

#include <gmock/gmock.h>

namespace switchyard::token {
namespace {

TEST(Base64Url, EncodesTheVectorsOfRfc4648WithoutPadding) {
  EXPECT_EQ(base64url_encode(""), "");
  EXPECT_EQ(base64url_encode("f"), "Zg");
  EXPECT_EQ(base64url_encode("fo"), "Zm8");
  EXPECT_EQ(base64url_encode("foo"), "Zm9v");
  EXPECT_EQ(base64url_encode("foob"), "Zm9vYg");
  EXPECT_EQ(base64url_encode("fooba"), "Zm9vYmE");
  EXPECT_EQ(base64url_encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64url_encode("\xfb\xff\xfe"), "-__-");
}

TEST(Base64Url, DecodesWhatItEncodes) {
  constexpr unsigned seed = 4648;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
  }
}

TEST(Base64Url, RefusesEverySpellingButTheCanonicalOne) {
  using namespace std::string_view_literals;
  for (const auto text :
       {"A"sv, "AAAAA"sv, "Zg=="sv, "Zg="sv, "Z"sv, "Zm9vY"sv, "Zm 9v"sv, "Zm9v\n"sv, "\tZm9v"sv, "+__-"sv,
        "-//-"sv, "Zm9\0"sv, "Zm9\xff"sv, "Zm9."sv, "Zh"sv, "Zv"sv, "Zm9"sv}) {
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace switchyard::token
