#include "core-api/operation_request.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "http/json.hpp"

namespace switchyard::core {
namespace {

using payment::Kind;
using ::testing::HasSubstr;

boost::json::object object_of(std::string_view text) {
  return http::parse_json(text).value().as_object();
}

std::expected<payment::Request, http::Response> asked(Kind kind, std::string_view body,
                                                      std::string_view query = {}) {
  return read_operation(kind, object_of(body), query);
}

// "422 Invalid final"
std::string why_refused(Kind kind, std::string_view body, std::string_view query = {}) {
  const auto read = asked(kind, body, query);
  if (read) return "";
  return std::to_string(read.error().status) + " " +
         std::string(object_of(read.error().body).at("error").as_string().c_str());
}

TEST(ReadOperation, TakesWhatIsOptional) {
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    for (const auto* body : {"{}", R"({"token":"t"})"}) {
      const auto read = asked(kind, body);
      ASSERT_TRUE(read) << body;
      EXPECT_EQ(read->kind, kind);
      EXPECT_EQ(read->amount_minor, std::nullopt);
      EXPECT_TRUE(read->is_final);
      EXPECT_EQ(read->psp_key + read->reference + read->note, "");
    }
  }
  const auto capture = asked(Kind::capture, R"({"amount":"60","final":false})");
  ASSERT_TRUE(capture);
  EXPECT_EQ(capture->amount_minor, 60);
  EXPECT_FALSE(capture->is_final);
  const auto refund = asked(Kind::refund, R"({"amount":30,"reason":"too small","reference":"r-1"})");
  ASSERT_TRUE(refund);
  EXPECT_EQ(refund->amount_minor, 30);
  EXPECT_EQ(refund->note, "too small");
  EXPECT_EQ(refund->reference, "r-1");
  EXPECT_EQ(asked(Kind::refund, R"({"amount":9223372036854775807})")->amount_minor, 9'223'372'036'854'775'807)
      << "what is left is what bounds it";
}

TEST(ReadOperation, SaysWhatIsWrong) {
  for (const auto& [kind, body, expected] : std::vector<std::tuple<Kind, std::string, std::string>>{
           {Kind::capture, R"({"amount":0})", "422 Amount must be positive"},
           {Kind::capture, R"({"amount":"-1"})", "422 Amount must be positive"},
           {Kind::refund, R"({"amount":1.5})", "422 Invalid amount"},
           {Kind::refund, R"({"amount":"1.00"})", "422 Invalid amount"},
           {Kind::refund, R"({"amount":null})", "422 Amount is blank"},
           {Kind::refund, R"({"amount":""})", "422 Amount is blank"},
           {Kind::refund, R"({"amount":9223372036854775808})", "422 Amount is too large"},
           {Kind::refund, R"({"amount":"99999999999999999999"})", "422 Amount is too large"},
           {Kind::capture, R"({"final":"false"})", "422 Invalid final"},
           {Kind::capture, R"({"final":null})", "422 Invalid final"},
           {Kind::capture, R"({"reason":"x"})", "422 Unknown member"},
           {Kind::capture, R"({"currency":"USD"})", "422 Unknown member"},
           {Kind::void_, R"({"amount":1})", "422 Unknown member"},
           {Kind::refund, R"({"final":true})", "422 Unknown member"},
           {Kind::refund, R"({"reference":""})", "422 Invalid reference"},
           {Kind::refund, R"({"reason":7})", "422 Invalid reason"},
           {Kind::refund, R"({"amount":0,"x":1})", "422 Amount must be positive"},
           {Kind::refund, R"({"x":1,"reason":7})", "422 Unknown member"},
       }) {
    EXPECT_EQ(why_refused(kind, body), expected) << body;
  }
  EXPECT_EQ(why_refused(Kind::void_, "{}", "token=t"), "422 Unknown query parameter");
  EXPECT_THAT(asked(Kind::void_, R"({"amount":1})").error().body, HasSubstr("known are: token"));
}

TEST(RefuseOperation, SaysWhatIsLeft) {
  const auto response = refuse_operation({.why = payment::Refusal::Why::over_what_is_left,
                                          .status = payment::Status::captured,
                                          .left_minor = 30,
                                          .detail = "30 USD is left"});
  EXPECT_EQ(response.status, 422U);
  const auto body = object_of(response.body);
  EXPECT_EQ(body.at("left").as_int64(), 30);
  EXPECT_EQ(body.at("status").as_int64(), 422);
  EXPECT_EQ(body.at("detail").as_string(), "30 USD is left");
  EXPECT_FALSE(body.contains("transaction_status"));
}

TEST(RefuseOperation, SaysWhichStateItIsIn) {
  for (const auto& [why, error] :
       {std::pair(payment::Refusal::Why::wrong_state, "Not possible in this state"),
        std::pair(payment::Refusal::Why::too_many, "Too many operations")}) {
    const auto response = refuse_operation(
        {.why = why, .status = payment::Status::voided, .left_minor = 0, .detail = "\"no\""});
    EXPECT_EQ(response.status, 409U);
    const auto body = object_of(response.body);
    EXPECT_EQ(body.at("transaction_status").as_string(), "voided");
    EXPECT_EQ(body.at("error").as_string(), error);
    EXPECT_EQ(body.at("detail").as_string(), "\"no\"");
    EXPECT_FALSE(body.contains("left"));
  }
}

}  // namespace
}  // namespace switchyard::core
