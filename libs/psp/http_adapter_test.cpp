#include "psp/http_adapter.hpp"

#include <gtest/gtest.h>

namespace switchyard::psp {
namespace {

std::string hidden(std::string_view secret, std::string text) {
  hide_secret(secret, text);
  return text;
}

TEST(HttpAdapter, ASecretThatThePspRepeatsIsHidden) {
  EXPECT_EQ(hidden("sk_1", R"({"message":"Invalid key sk_1, sk_1sk_1"})"),
            R"({"message":"Invalid key [secret], [secret][secret]"})");
  EXPECT_EQ(hidden("sk_1", "sk_2"), "sk_2");
  EXPECT_EQ(hidden("", "sk_2"), "sk_2");
  EXPECT_EQ(hidden("secret", "[secret]"), "[[secret]]") << "and comes to an end";
}

}  // namespace
}  // namespace switchyard::psp
