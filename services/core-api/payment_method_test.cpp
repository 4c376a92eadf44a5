#include "core-api/payment_method.hpp"

#include <gmock/gmock.h>

#include "http/json.hpp"

namespace switchyard::core {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

boost::json::object body_of(const std::string& member, const std::string& value) {
  return http::parse_json("{\"" + member + "\":" + value + "}").value().as_object();
}

std::string problem_of_method(const std::string& value) {
  const auto read = read_payment_method(body_of("payment_method", value));
  if (read) return {};
  EXPECT_EQ(read.error().status, 422U);
  return read.error().body;
}

TEST(PaymentMethod, IsKeptAsItWasGiven) {
  for (const auto* method : {
           R"({"stripe":"pm_1"})",
           R"({"stripe":{"payment_method":"pm_1","customer":"cus_1","off_session":true}})",
           R"({"adyen":{"storedPaymentMethodId":"M5N7TQ4TG5PFWR50","shopperReference":"shopper_7"}})",
           R"({"stripe":"pm_1","adyen":{"storedPaymentMethodId":"M5","shopperReference":"shopper_7"}})",
       }) {
    EXPECT_EQ(read_payment_method(body_of("payment_method", method)), method);
  }
  EXPECT_EQ(read_payment_method({}), "");
}

TEST(PaymentMethod, IsRefusedWithWhatWouldBeRight) {
  for (const auto& [method, why] : std::vector<std::pair<std::string, std::string>>{
           {"null", "not an object"},
           {R"("pm_1")", "not an object"},
           {"[]", "not an object"},
           {"{}", "it is empty"},
           {R"({"paypal":"x"})", "known are adyen and stripe"},
           {R"({"stripe":"pm_1","simulator":"x"})", "known are adyen and stripe"},
           {R"({"stripe":7})", "no payment method such as pm_"},
           {R"({"stripe":"pm 1"})", "no payment method such as pm_"},
           {R"({"stripe":{"payment_method":"pm_1","mandate":"x"}})", "a member not known"},
           {R"({"stripe":{"payment_method":"pm_1","off_session":"yes"}})", "off_session"},
           {R"({"adyen":"x"})", "no object for adyen"},
           {R"({"adyen":{"storedPaymentMethodId":"M5"}})", "shopperReference"},
           {R"({"adyen":{"encryptedCardNumber":"adyenjs_0_1","encryptedSecurityCode":"adyenjs_0_1"}})",
            "encrypted card data is not taken"},
       }) {
    EXPECT_THAT(problem_of_method(method), AllOf(HasSubstr(why), HasSubstr("pm_..."))) << method;
  }
}

TEST(PaymentMethod, NothingOfItIsRepeated) {
  EXPECT_THAT(problem_of_method(R"({"hunter2":"hunter2"})"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(problem_of_method(R"({"stripe":"hunter2 x"})"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(problem_of_method(R"({"adyen":{"hunter2":"x"}})"), Not(HasSubstr("hunter2")));
}

TEST(ReturnUrl, IsAnHttpsAddress) {
  for (const auto* url : {"https://shop.example", "https://shop.example:8443/back?order=7#top"}) {
    EXPECT_EQ(read_return_url(body_of("return_url", std::string("\"") + url + "\"")), url);
  }
  EXPECT_EQ(read_return_url({}), "");
  for (const auto& url :
       {std::string("7"), std::string("null"), std::string("\"\""), std::string("\"shop.example\""),
        std::string("\"http://shop.example\""), std::string("\"https://\""), std::string("\"https:///back\""),
        std::string("\"https://shop.example/a b\""), std::string("\"https://shop.example/\\u00e9\""),
        std::string("\"javascript:alert(1)\""), "\"https://shop.example/" + std::string(2'048, 'a') + "\""}) {
    const auto read = read_return_url(body_of("return_url", url));
    ASSERT_FALSE(read) << url;
    EXPECT_EQ(read.error().status, 422U);
    EXPECT_THAT(read.error().body, HasSubstr("https://shop.example/back"));
  }
}

}  // namespace
}  // namespace switchyard::core
