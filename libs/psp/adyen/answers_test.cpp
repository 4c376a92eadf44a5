#include "psp/adyen/answers.hpp"

#include <initializer_list>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "psp/adyen/outcomes.hpp"
#include "psp/adyen/refusals.hpp"
#include "psp/adyen/testing.hpp"

namespace switchyard::psp::adyen {
namespace {

using payment::ActionRequired;
using payment::Contradicted;
using payment::Declined;
using payment::Kind;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::ReasonKind;
using payment::Rejected;
using payment::Succeeded;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Kind modifications[] = {Kind::capture, Kind::void_, Kind::refund};
// What the steps of testing.hpp are called.
constexpr std::string_view first_key = "7-0123456789abcdef0123456789abcdef-1";
constexpr std::string_view second_key = "7-0123456789abcdef0123456789abcdef-2";

http::CallResult answer(long status, std::string body) {
  return http::ClientResponse{.status = status, .body = std::move(body)};
}
http::CallResult no_answer(bool perhaps_sent) {
  return std::unexpected(http::CallFailure{.perhaps_sent = perhaps_sent, .reason = "why"});
}

payment::Answer read(const payment::Step& step, const http::CallResult& result,
                     const AnswerHeaders& headers = {}) {
  return read_answer(test_settings(), step, result, headers);
}
payment::Answer read(Kind kind, long status, std::string body, const AnswerHeaders& headers = {}) {
  return read(step_of({.kind = kind}), answer(status, std::move(body)), headers);
}
payment::Answer read_payment_answer(const std::string& body, const Wanted& wanted = {}) {
  return read(step_of(wanted), answer(200, body));
}
payment::Found read_resent(Kind kind, const http::CallResult& result, const AnswerHeaders& headers = {}) {
  return read_answer_to_resend(test_settings(), step_of({.kind = kind}), result, headers);
}

AnswerHeaders with_our_key(Kind kind) {
  return {.are_known = true,
          .idempotency_key = std::string(kind == Kind::authorize ? first_key : second_key)};
}

template <class What, class Variant>
bool is(const Variant& variant) {
  return std::holds_alternative<What>(variant);
}
template <class Variant>
std::string contradiction(const Variant& variant) {
  const auto* contradicted = std::get_if<Contradicted>(&variant);
  return contradicted == nullptr ? "none" : contradicted->reason;
}

// A payment's answer; `more`: members such as `,"refusalReason":"..."`.
std::string payment_body(std::string_view result_code, std::string_view more = "") {
  return R"({"pspReference":"SYPSP00000000001","resultCode":")" + std::string(result_code) +
         R"(","merchantReference":"7_0123456789abcdef0123456789abcdef_1",)"
         R"("amount":{"currency":"EUR","value":2000},"paymentMethod":{"brand":"visa"})" +
         std::string(more) + "}";
}
std::string refused_body(std::string_view code) {
  return payment_body("Refused",
                      R"(,"refusalReason":"text","refusalReasonCode":")" + std::string(code) + R"(")");
}
std::string received_body(Kind kind) {
  return std::string(
             R"({"merchantAccount":"SwitchyardECOM","paymentPspReference":"SYPSP00000000001",)"
             R"("pspReference":"SYPSP00000000002","reference":"7_0123456789abcdef0123456789abcdef_2",)"
             R"("status":"received")") +
         (kind == Kind::void_ ? "}" : R"(,"amount":{"currency":"EUR","value":2000}})");
}
std::string good(Kind kind) {
  return kind == Kind::authorize ? payment_body("Authorised") : received_body(kind);
}
std::string error_body(std::string_view code, std::string_view message = "a message") {
  return R"({"status":422,"errorCode":")" + std::string(code) + R"(","message":")" + std::string(message) +
         R"(","errorType":"validation","pspReference":"SYPSP00000000009"})";
}

// --- Payments ----------------------------------------------------------------------------------

TEST(AdyenAnswer, AuthorisedIsASuccessForEitherWayOfCapturing) {
  for (const auto method : {payment::CaptureMethod::manual, payment::CaptureMethod::automatic}) {
    const auto outcome = read_payment_answer(payment_body("Authorised", R"(,"refusalReasonCode":"0")"),
                                             {.capture_method = method});
    ASSERT_TRUE(is<Succeeded>(outcome));
    EXPECT_EQ(std::get<Succeeded>(outcome).psp_reference, "SYPSP00000000001");
    EXPECT_EQ(std::get<Succeeded>(outcome).amount, eur(2000));
  }
}

TEST(AdyenAnswer, AnAmountIsReadInAdyensMinorUnits) {
  const auto body = replaced(payment_body("Authorised"), R"("EUR","value":2000)", R"("ISK","value":2000)");
  const auto outcome = read_payment_answer(body, {.amount_minor = 20, .currency = "ISK"});
  ASSERT_TRUE(is<Succeeded>(outcome));
  EXPECT_EQ(std::get<Succeeded>(outcome).amount, Money(20, *Currency::parse("ISK")));
}

TEST(AdyenAnswer, EveryResultCodeMeansWhatTheTableSays) {
  for (const auto& [code, result] : result_codes) {
    const auto outcome = read_payment_answer(payment_body(code));
    switch (result) {
      case Result::authorised:
        EXPECT_TRUE(is<Succeeded>(outcome)) << code;
        break;
      case Result::refused:
      case Result::cancelled:
      case Result::error:
        EXPECT_TRUE(is<Declined>(outcome)) << code;
        break;
      case Result::waiting:
        EXPECT_TRUE(is<Pending>(outcome)) << code;
        break;
      case Result::action:
        EXPECT_TRUE(is<ActionRequired>(outcome)) << code;
        break;
      case Result::not_ours:
        EXPECT_THAT(contradiction(outcome), HasSubstr(std::string(code)));
        break;
    }
  }
}

TEST(AdyenAnswer, AResultCodeThatIsNotKnownIsUnknown) {
  for (const auto* code : {"", "authorised", "AUTHORISED", "Authorised ", "Settled"}) {
    EXPECT_TRUE(is<OutcomeUnknown>(read_payment_answer(payment_body(code)))) << code;
  }
}

TEST(AdyenAnswer, EveryRefusalHasItsReason) {
  for (const auto& [code, message, kind] : refusals) {
    const auto outcome = read_payment_answer(refused_body(code));
    ASSERT_TRUE(is<Declined>(outcome)) << code;
    const auto& declined = std::get<Declined>(outcome);
    EXPECT_EQ(declined.reason, (payment::Reason{std::string(code), std::string(message), kind}));
    EXPECT_EQ(declined.psp_reference, "SYPSP00000000001");
    EXPECT_EQ(declined.amount, eur(2000));
  }
}

// Written down once more, so that a change of the table is seen.
TEST(AdyenAnswer, TheKindsOfRefusals) {
  const auto kind_of = [](int code) {
    const auto* found = find_refusal(std::to_string(code));
    return found == nullptr ? ReasonKind::unknown : found->kind;
  };
  const std::pair<ReasonKind, std::vector<int>> all[] = {
      {ReasonKind::soft_decline, {2, 3, 4, 9, 12, 15, 19, 21, 27, 28, 29, 40, 43, 44, 45}},
      {ReasonKind::hard_decline, {5, 6, 8, 10, 14, 18, 20, 22, 23, 25, 26, 31, 33, 34, 35, 46}},
      {ReasonKind::customer_action, {11, 16, 17, 24, 32, 36, 37, 38, 39, 41, 42}},
      {ReasonKind::configuration, {7}},
      {ReasonKind::unknown, {0, 1, 13, 30, 47, 99}}};
  std::size_t known = 0;
  for (const auto& [kind, codes] : all) {
    for (const int code : codes) EXPECT_EQ(kind_of(code), kind) << code;
    if (kind != ReasonKind::unknown) known += codes.size();
  }
  EXPECT_EQ(known, refusals.size());
}

TEST(AdyenAnswer, ARefusalWithoutAKnownCodeIsNotTriedAgain) {
  const auto unknown = read_payment_answer(refused_body("99"));
  EXPECT_EQ(std::get<Declined>(unknown).reason, (payment::Reason{"99", "text", ReasonKind::unknown}));
  const auto none = read_payment_answer(payment_body("Refused"));
  EXPECT_EQ(std::get<Declined>(none).reason, (payment::Reason{"Refused", "", ReasonKind::unknown}));
  const auto number = read_payment_answer(payment_body("Refused", R"(,"refusalReasonCode":12)"));
  EXPECT_EQ(std::get<Declined>(number).reason.kind, ReasonKind::soft_decline);
}

TEST(AdyenAnswer, AnErrorAtTheAcquirerMaySucceedAnotherTimeAndACancelIsTheCustomers) {
  const auto error = read_payment_answer(payment_body("Error", R"(,"refusalReason":"no connection")"));
  EXPECT_EQ(std::get<Declined>(error).reason,
            (payment::Reason{"Error", "no connection", ReasonKind::soft_decline}));
  const auto cancelled = read_payment_answer(payment_body("Cancelled"));
  EXPECT_EQ(std::get<Declined>(cancelled).reason.kind, ReasonKind::customer_action);
}

TEST(AdyenAnswer, ADeclineMayBeOfNoAmount) {
  const auto outcome =
      read_payment_answer(replaced(refused_body("2"), R"("amount":{"currency":"EUR","value":2000},)", ""));
  ASSERT_TRUE(is<Declined>(outcome));
  EXPECT_EQ(std::get<Declined>(outcome).amount, std::nullopt);
}

// --- The customer ------------------------------------------------------------------------------

constexpr std::string_view redirect =
    R"(,"action":{"type":"redirect","method":"GET","url":"https://bank.example/3ds?a=1","paymentData":"Ab"})";

std::string url_of(const std::string& body, const std::string& return_url = "https://shop.example/") {
  const auto outcome = read_payment_answer(body, {.return_url = return_url});
  EXPECT_TRUE(is<ActionRequired>(outcome)) << body;
  return is<ActionRequired>(outcome) ? std::get<ActionRequired>(outcome).url : "no action";
}

TEST(AdyenAnswer, ACustomerWhoCanComeBackIsSentToTheBank) {
  EXPECT_EQ(url_of(payment_body("RedirectShopper", redirect)), "https://bank.example/3ds?a=1");
  // As Adyen answers in fact: with the action, and nothing else.
  EXPECT_EQ(url_of(R"({"resultCode":"RedirectShopper")" + std::string(redirect) + "}"),
            "https://bank.example/3ds?a=1");
}

TEST(AdyenAnswer, ACustomerWhoCannotComeBackIsNot) {
  EXPECT_EQ(url_of(payment_body("RedirectShopper", redirect), ""), "");
}

TEST(AdyenAnswer, WhatIsNoAddressToOpenIsNone) {
  for (const auto* action : {
           R"({"type":"threeDS2","subtype":"fingerprint","url":"https://bank.example/"})",
           R"({"type":"redirect","method":"POST","url":"https://bank.example/","data":{"PaReq":"x"}})",
           R"({"type":"redirect","method":"GET","url":"javascript:alert"})",
           R"({"type":"redirect","method":"GET","url":"https://bank.example/\r\nX: 1"})",
           R"({"type":"redirect","method":"GET","url":"https://bank.example/ \"onload"})",
           R"({"type":"redirect","method":"GET","url":7})",
           R"({"type":"redirect","method":"GET"})",
           R"({"type":["redirect"],"url":"https://bank.example/"})",
           R"({})",
       }) {
    EXPECT_EQ(url_of(payment_body("RedirectShopper", R"(,"action":)" + std::string(action))), "") << action;
  }
  EXPECT_EQ(url_of(payment_body("IdentifyShopper")), "");
  EXPECT_EQ(
      url_of(replaced(payment_body("RedirectShopper", redirect), "bank.example", std::string(5'000, 'a'))),
      "");
}

// --- Modifications -----------------------------------------------------------------------------

TEST(AdyenAnswer, AModificationThatIsReceivedIsPending) {
  for (const auto kind : modifications) {
    for (const long status : {200, 201}) {
      const auto outcome = read(kind, status, received_body(kind));
      ASSERT_TRUE(is<Pending>(outcome)) << to_string(kind);
      EXPECT_EQ(std::get<Pending>(outcome).psp_reference, "SYPSP00000000002");
      EXPECT_EQ(std::get<Pending>(outcome).amount,
                kind == Kind::void_ ? std::nullopt : std::optional(eur(2000)));
    }
  }
}

TEST(AdyenAnswer, AModificationThatIsNotReceivedIsUnknown) {
  for (const auto kind : modifications) {
    const auto body = received_body(kind);
    for (const auto* status : {R"("done")", R"("Received")", R"("")", "null", "201", "true"}) {
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, 201, replaced(body, R"("received")", status)))) << status;
    }
    EXPECT_TRUE(is<OutcomeUnknown>(read(kind, 201, replaced(body, "SYPSP00000000002", ""))));
    EXPECT_TRUE(is<OutcomeUnknown>(read(kind, 200, payment_body("Authorised", R"(,"status":"none")"))));
  }
}

// --- Another one's -----------------------------------------------------------------------------

TEST(AdyenAnswer, AnotherOnesPaymentContradicts) {
  for (const auto& row : result_codes) {
    const auto body = replaced(payment_body(row.code), "abcdef_1", "abcdef_2");
    EXPECT_THAT(contradiction(read_payment_answer(body)), HasSubstr("reference")) << row.code;
  }
}

TEST(AdyenAnswer, AnotherOnesModificationContradicts) {
  for (const auto kind : modifications) {
    const auto body = received_body(kind);
    const std::pair<const char*, const char*> changes[] = {
        {"abcdef_2", "abcdef_3"}, {"SYPSP00000000001", "SYPSP00000000003"}, {"SwitchyardECOM", "OtherECOM"}};
    for (const auto& [what, with] : changes) {
      const auto outcome = read(kind, 201, replaced(body, what, with));
      EXPECT_THAT(contradiction(outcome), HasSubstr("where")) << with;
      EXPECT_EQ(std::get<Contradicted>(outcome).psp_reference, "SYPSP00000000002");
    }
  }
}

TEST(AdyenAnswer, AnAmountThatIsNoneOfOursContradicts) {
  for (const auto* amount :
       {R"("eur","value":2000)", R"("XXX","value":2000)", R"("BIF","value":2000)", R"("ISK","value":2050)",
        R"("EURO","value":2000)", R"("","value":2000)", R"(null,"value":2000)"}) {
    for (const auto kind : {Kind::authorize, Kind::capture, Kind::refund}) {
      const auto body = replaced(good(kind), R"("EUR","value":2000)", amount);
      EXPECT_THAT(contradiction(read(kind, 200, body)), HasSubstr("no amount of ours")) << amount;
    }
  }
}

// Held against what was asked by the machine.
TEST(AdyenAnswer, AnotherAmountIsGivenAsItIs) {
  const auto other = read_payment_answer(replaced(payment_body("Authorised"), "2000", "1999"));
  EXPECT_EQ(std::get<Succeeded>(other).amount, eur(1999));
  const auto currency = read_payment_answer(replaced(payment_body("Authorised"), "EUR", "USD"));
  EXPECT_EQ(std::get<Succeeded>(currency).amount, Money(2000, *Currency::parse("USD")));
}

TEST(AdyenAnswer, AnAnswerUnderAnotherKeyContradicts) {
  for (const auto kind : kinds) {
    for (const long status : {200, 422, 500}) {
      const auto outcome =
          read(kind, status, good(kind), {.are_known = true, .idempotency_key = "another-key"});
      EXPECT_THAT(contradiction(outcome), HasSubstr("another key"));
    }
  }
}

// --- What cannot be read -----------------------------------------------------------------------

std::vector<std::string> unreadable(Kind kind) {
  const auto body = good(kind);
  return {"",
          "<!DOCTYPE html><html><title>502</title></html>",
          "[]",
          "null",
          "7",
          R"("Authorised")",
          "{}",
          body.substr(0, 40),
          body + "}",
          replaced(body, R"("SYPSP)", R"(7,"x":")"),
          replaced(body, "{", R"({"amount":"20.00 EUR","x":)") + "}",
          replaced(body, "}", R"(},"pspReference":"SYPSP00000000001"})"),
          std::string(100'000, '[')};
}

TEST(AdyenAnswer, WhatCannotBeReadIsUnknown) {
  for (const auto kind : kinds) {
    for (const auto& body : unreadable(kind)) {
      for (const long status : {200, 201}) {
        EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, body))) << body;
      }
    }
  }
}

TEST(AdyenAnswer, AnAmountOfAWrongTypeIsUnknown) {
  for (const auto* amount : {R"("EUR","value":"2000")", R"("EUR","value":2000.0)", R"("EUR","value":2e3)",
                             R"("EUR","value":20.5)", R"("EUR","value":true)", R"("EUR","value":null)",
                             R"("EUR","value":18446744073709551615)", R"("EUR","value":99999999999999999999)",
                             R"("EUR","value":[2000])", R"(978,"value":2000)", R"("EUR")"}) {
    for (const auto kind : {Kind::authorize, Kind::capture, Kind::refund}) {
      const auto body = replaced(good(kind), R"("EUR","value":2000)", amount);
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, 200, body))) << body;
    }
  }
}

TEST(AdyenAnswer, WhatEndsAnOperationSaysWhichOneItIs) {
  for (const auto* code : {"Authorised", "Refused", "Cancelled", "Error"}) {
    const auto body = payment_body(code);
    for (const auto* member : {R"("pspReference":"SYPSP00000000001",)",
                               R"("merchantReference":"7_0123456789abcdef0123456789abcdef_1",)"}) {
      EXPECT_TRUE(is<OutcomeUnknown>(read_payment_answer(replaced(body, member, "")))) << code << member;
    }
  }
  const auto no_amount =
      replaced(payment_body("Authorised"), R"("amount":{"currency":"EUR","value":2000},)", "");
  EXPECT_TRUE(is<OutcomeUnknown>(read_payment_answer(no_amount)));
  // A wait ends nothing.
  EXPECT_TRUE(is<Pending>(read_payment_answer(R"({"resultCode":"Received"})")));
}

// --- No answer, and errors ---------------------------------------------------------------------

TEST(AdyenAnswer, ThePrecisePlaceWhereARequestWasLostDecides) {
  for (const auto kind : kinds) {
    EXPECT_TRUE(is<NotSent>(read(step_of({.kind = kind}), no_answer(false))));
    const auto unknown = read(step_of({.kind = kind}), no_answer(true));
    ASSERT_TRUE(is<OutcomeUnknown>(unknown));
    EXPECT_EQ(std::get<OutcomeUnknown>(unknown).reason, "why");
  }
}

TEST(AdyenAnswer, ARequestThatWasRefusedIsRejectedWithTheReason) {
  for (const auto kind : kinds) {
    for (const long status : {400, 401, 403, 404}) {
      for (const auto* body : {"", "{}"}) {
        EXPECT_TRUE(is<Rejected>(read(kind, status, body))) << status << body;
      }
      // Somebody in between may have kept Adyen's answer.
      for (const auto* body : {"<html>", "[]", "no", "{"}) {
        EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, body))) << status << body;
      }
    }
    const auto outcome = read(kind, 400, error_body("702", "cannot parse"));
    EXPECT_EQ(std::get<Rejected>(outcome).reason, "Adyen answered 400, error 702: cannot parse");
    const auto untold = read(kind, 400, error_body("702", ""));
    EXPECT_EQ(std::get<Rejected>(untold).reason,
              "Adyen answered 400, error 702: the request cannot be parsed");
  }
}

TEST(AdyenAnswer, ARefusalOfTheAccountIsForTheOperatorAndHoldsNoSecret) {
  for (const auto kind : kinds) {
    const std::pair<long, const char*> refused[] = {{401, "the API key is wrong"}, {403, "merchant account"}};
    for (const auto& [status, what] : refused) {
      const auto outcome = read(kind, status, error_body(status == 401 ? "000" : "901"));
      ASSERT_TRUE(is<Rejected>(outcome));
      EXPECT_TRUE(std::get<Rejected>(outcome).is_of_account);
      EXPECT_THAT(std::get<Rejected>(outcome).reason, HasSubstr("configuration"));
      EXPECT_THAT(std::get<Rejected>(outcome).reason, HasSubstr(what));
      EXPECT_THAT(std::get<Rejected>(outcome).reason, Not(HasSubstr("secret-api-key")));
    }
  }
}

TEST(AdyenAnswer, EveryErrorCodeOf422MeansWhatTheTableSays) {
  for (const auto& [code, message, fault] : error_codes) {
    for (const auto kind : kinds) {
      const auto outcome = read(kind, 422, error_body(code, ""));
      if (fault == Fault::not_yet) {
        EXPECT_TRUE(is<OutcomeUnknown>(outcome)) << code;
      } else if (fault == Fault::customer && kind == Kind::authorize) {
        ASSERT_TRUE(is<Declined>(outcome)) << code;
        EXPECT_EQ(std::get<Declined>(outcome).reason,
                  (payment::Reason{std::string(code), std::string(message), ReasonKind::customer_action}));
      } else {
        ASSERT_TRUE(is<Rejected>(outcome)) << code;
        EXPECT_THAT(std::get<Rejected>(outcome).reason, HasSubstr(std::string(message)));
      }
    }
  }
  EXPECT_TRUE(is<Rejected>(read(Kind::authorize, 422, error_body("999"))));
}

TEST(AdyenAnswer, ARequestThatIsStillRunningIsAskedForAgain) {
  for (const auto kind : kinds) {
    for (const long status : {400, 403, 409, 422, 500, 503}) {
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, error_body("704")))) << status;
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, R"({"errorCode":704})"))) << status;
    }
    EXPECT_TRUE(is<OutcomeUnknown>(read(kind, 409, "{}")));
    EXPECT_TRUE(is<OutcomeUnknown>(read(kind, 409, error_body("101"))));
  }
}

// It may have been a 704.
TEST(AdyenAnswer, A422WithoutACodeIsUnknown) {
  for (const auto kind : kinds) {
    for (const auto* body : {"", "{}", "<html>", "[]", R"({"message":"no"})", R"({"errorCode":null})",
                             R"({"errorCode":["101"]})", R"({"errorCode":10.1})"}) {
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, 422, body))) << body;
    }
  }
}

TEST(AdyenAnswer, TooManyRequestsIsNotSent) {
  for (const auto kind : kinds) EXPECT_TRUE(is<NotSent>(read(kind, 429, "{}")));
}

// Some of these would end as if there were nothing, with the payment at Adyen.
TEST(AdyenAnswer, ARefusalThatSpeaksOfAPaymentIsUnknown) {
  for (const auto kind : kinds) {
    for (const long status : {400, 401, 403, 404, 422, 429}) {
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, good(kind)))) << status;
    }
  }
}

TEST(AdyenAnswer, AnyOtherStatusIsUnknownWhateverTheBodySays) {
  for (const auto kind : kinds) {
    for (const long status : {0,   100, 202, 204, 206, 301, 302, 307, 402, 405, 408, 409,
                              410, 413, 418, 425, 499, 500, 501, 502, 503, 504, 599}) {
      for (const auto& body : {good(kind), error_body("101"), error_body("905"), std::string("<html>")}) {
        EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, body))) << status << body;
      }
    }
  }
}

TEST(AdyenAnswer, WhatIsTransientIsAskedForAgainWhateverElseIsSaid) {
  for (const auto kind : kinds) {
    auto headers = with_our_key(kind);
    headers.is_transient = true;
    for (const long status : {200, 201, 400, 401, 403, 404, 422, 429, 500, 503}) {
      for (const auto& body : {good(kind), error_body("101"), std::string("<html>")}) {
        EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, body, headers))) << status;
        EXPECT_TRUE(is<OutcomeUnknown>(read_resent(kind, answer(status, body), headers))) << status;
      }
    }
  }
}

// A first answer needs no promise that there was only one.
TEST(AdyenAnswer, AFirstAnswerIsBelievedWithoutTheKey) {
  EXPECT_TRUE(is<Succeeded>(read(Kind::authorize, 200, good(Kind::authorize), {.are_known = true})));
  EXPECT_TRUE(is<Pending>(read(Kind::refund, 201, good(Kind::refund), {.are_known = true})));
}

// --- The same again ----------------------------------------------------------------------------

TEST(AdyenResend, TheStoredResultIsTheResult) {
  for (const auto& headers : {with_our_key(Kind::authorize), AnswerHeaders{}}) {
    EXPECT_TRUE(
        is<Succeeded>(read_resent(Kind::authorize, answer(200, payment_body("Authorised")), headers)));
    EXPECT_TRUE(is<Declined>(read_resent(Kind::authorize, answer(200, refused_body("5")), headers)));
    EXPECT_TRUE(is<Pending>(read_resent(Kind::authorize, answer(200, payment_body("Received")), headers)));
    EXPECT_TRUE(is<ActionRequired>(
        read_resent(Kind::authorize, answer(200, payment_body("IdentifyShopper")), headers)));
  }
  for (const auto kind : modifications) {
    EXPECT_TRUE(is<Pending>(read_resent(kind, answer(201, received_body(kind)), with_our_key(kind))));
  }
}

TEST(AdyenResend, ASuccessWithoutTheKeyMayBeASecondPayment) {
  for (const auto kind : kinds) {
    const auto outcome = read_resent(kind, answer(200, good(kind)), {.are_known = true});
    EXPECT_THAT(contradiction(outcome), HasSubstr("twice")) << to_string(kind);
    EXPECT_NE(std::get<Contradicted>(outcome).psp_reference, "");
    EXPECT_TRUE(is<OutcomeUnknown>(read_resent(kind, answer(200, "<html>"), {.are_known = true})));
  }
}

TEST(AdyenResend, ARefusalSaysNothingAboutTheFirstTimeUnlessItIsUnderTheKey) {
  for (const auto kind : kinds) {
    for (const long status : {400, 401, 403, 404, 409, 422, 500, 503}) {
      for (const auto& headers : {AnswerHeaders{}, AnswerHeaders{.are_known = true}}) {
        EXPECT_TRUE(is<OutcomeUnknown>(read_resent(kind, answer(status, error_body("130")), headers)))
            << status;
        EXPECT_TRUE(is<OutcomeUnknown>(read_resent(kind, answer(status, error_body("101")), headers)))
            << status;
      }
    }
    for (const long status : {400, 401, 403, 404, 409, 500, 503}) {
      EXPECT_TRUE(
          is<OutcomeUnknown>(read_resent(kind, answer(status, error_body("130")), with_our_key(kind))));
    }
  }
}

TEST(AdyenResend, AStoredRefusalEndsIt) {
  for (const auto kind : kinds) {
    const auto outcome = read_resent(kind, answer(422, error_body("130")), with_our_key(kind));
    ASSERT_TRUE(is<Declined>(outcome)) << to_string(kind);
    EXPECT_EQ(std::get<Declined>(outcome).reason.kind, ReasonKind::configuration);
    EXPECT_THAT(std::get<Declined>(outcome).reason.message, HasSubstr("error 130"));
    EXPECT_TRUE(is<OutcomeUnknown>(read_resent(kind, answer(422, error_body("704")), with_our_key(kind))));
  }
  const auto customer =
      read_resent(Kind::authorize, answer(422, error_body("103")), with_our_key(Kind::authorize));
  EXPECT_EQ(std::get<Declined>(customer).reason.kind, ReasonKind::customer_action);
}

TEST(AdyenResend, AQuestionThatWasNotAskedSaysNothing) {
  for (const auto kind : kinds) {
    EXPECT_TRUE(is<NotSent>(read_resent(kind, no_answer(false))));
    EXPECT_TRUE(is<OutcomeUnknown>(read_resent(kind, no_answer(true))));
    EXPECT_TRUE(is<NotSent>(read_resent(kind, answer(429, "{}"))));
    for (const auto& body : unreadable(kind)) {
      EXPECT_TRUE(is<OutcomeUnknown>(read_resent(kind, answer(200, body)))) << body;
    }
  }
}

TEST(AdyenResend, AnotherOnesIsNotOurs) {
  EXPECT_TRUE(is<Contradicted>(read_resent(
      Kind::authorize, answer(200, replaced(payment_body("Authorised"), "abcdef_1", "abcdef_2")))));
  EXPECT_TRUE(is<Contradicted>(
      read_resent(Kind::authorize, answer(422, error_body("130")), {.idempotency_key = "another-key"})));
}

}  // namespace
}  // namespace switchyard::psp::adyen
