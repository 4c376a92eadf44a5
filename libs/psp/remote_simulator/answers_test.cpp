#include "psp/remote_simulator/answers.hpp"

#include <gmock/gmock.h>

namespace switchyard::psp::remote_simulator {
namespace {

using payment::Approved;
using payment::Contradicted;
using payment::Declined;
using payment::DeclineKind;
using payment::NoSuchCharge;
using payment::NotSent;
using payment::OutcomeUnknown;

const AuthorizeRequest request{.reference = "reference-1",
                               .idempotency_key = "reference-1-1",
                               .amount = Money(100, *Currency::parse("USD"))};

constexpr const char* approved =
    R"({"id":"sim_1","reference":"reference-1","idempotency_key":"reference-1-1","amount":100,)"
    R"("currency":"USD","capture_method":"automatic","status":"approved"})";
constexpr const char* declined =
    R"({"id":"sim_1","reference":"reference-1","idempotency_key":"reference-1-1","amount":100,)"
    R"("currency":"USD","capture_method":"automatic","status":"declined","code":"51","decline_kind":"soft"})";

http::CallResult answer(long status, std::string body) {
  return http::ClientResponse{.status = status, .body = std::move(body)};
}
http::CallResult no_answer(bool perhaps_sent) {
  return std::unexpected(http::CallFailure{.perhaps_sent = perhaps_sent, .reason = "why"});
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

// --- Authorize ---------------------------------------------------------------------------------

TEST(AuthorizeAnswer, AnApprovalIsAnApproval) {
  for (const long status : {200, 201}) {
    const auto outcome = read_authorize_answer(answer(status, approved), request);
    ASSERT_TRUE(std::holds_alternative<Approved>(outcome)) << status;
    EXPECT_EQ(std::get<Approved>(outcome).psp_reference, "sim_1");
  }
}

TEST(AuthorizeAnswer, ADeclineIsADecline) {
  const auto soft = read_authorize_answer(answer(201, declined), request);
  ASSERT_TRUE(std::holds_alternative<Declined>(soft));
  EXPECT_EQ(std::get<Declined>(soft).code, "51");
  EXPECT_EQ(std::get<Declined>(soft).kind, DeclineKind::soft);
  EXPECT_EQ(std::get<Declined>(soft).psp_reference, "sim_1");
  const auto hard = read_authorize_answer(answer(200, replaced(declined, "soft", "hard")), request);
  ASSERT_TRUE(std::holds_alternative<Declined>(hard));
  EXPECT_EQ(std::get<Declined>(hard).kind, DeclineKind::hard);
}

TEST(AuthorizeAnswer, ThePrecisePlaceWhereARequestWasLostDecides) {
  EXPECT_TRUE(std::holds_alternative<NotSent>(read_authorize_answer(no_answer(false), request)));
  const auto unknown = read_authorize_answer(no_answer(true), request);
  ASSERT_TRUE(std::holds_alternative<OutcomeUnknown>(unknown));
  EXPECT_EQ(std::get<OutcomeUnknown>(unknown).reason, "why");
}

TEST(AuthorizeAnswer, ARequestThatWasRefusedUnreadChargedNothing) {
  for (const long status : {400, 401, 403, 404, 405, 413, 415, 429, 431}) {
    EXPECT_TRUE(std::holds_alternative<NotSent>(read_authorize_answer(answer(status, "{}"), request)))
        << status;
  }
}

// Three of these would end as failed, with the charge at the PSP.
TEST(AuthorizeAnswer, ARefusalThatSpeaksOfAChargeIsUnknown) {
  for (const long status : {400, 401, 403, 404, 405, 413, 415, 429, 431}) {
    EXPECT_TRUE(
        std::holds_alternative<OutcomeUnknown>(read_authorize_answer(answer(status, approved), request)))
        << status;
  }
}

TEST(AuthorizeAnswer, AnyOtherStatusIsUnknownWhateverTheBodySays) {
  for (const long status : {0,   100, 202, 204, 206, 301, 302, 304, 307, 308, 402, 406, 408,
                            409, 410, 418, 422, 423, 425, 499, 500, 501, 502, 503, 504, 599}) {
    EXPECT_TRUE(
        std::holds_alternative<OutcomeUnknown>(read_authorize_answer(answer(status, approved), request)))
        << status;
  }
}

TEST(AuthorizeAnswer, WhatCannotBeReadIsUnknown) {
  for (const auto& body : {std::string(),
                           std::string("<html>approved</html>"),
                           std::string("[]"),
                           std::string("null"),
                           std::string(approved).substr(0, 40),
                           std::string(approved) + "}",
                           std::string("{}"),
                           replaced(approved, "\"sim_1\"", "\"\""),
                           replaced(approved, "\"reference\":\"reference-1\",", ""),
                           replaced(approved, "\"reference-1-1\"", "null"),
                           replaced(approved, "\"amount\":100,", ""),
                           replaced(approved, "100", "null"),
                           replaced(approved, "USD", ""),
                           replaced(approved, "\"capture_method\":\"automatic\",", ""),
                           replaced(approved, "\"approved\"", "\"pending\""),
                           replaced(approved, "\"approved\"", "true"),
                           replaced(approved, "\"approved\"", "\"approved\",\"status\":\"declined\""),
                           replaced(declined, "\"51\"", "\"\""),
                           replaced(declined, "\"soft\"", "\"maybe\""),
                           replaced(declined, ",\"decline_kind\":\"soft\"", ""),
                           replaced(declined, "\"code\":\"51\",", "")}) {
    for (const long status : {200, 201}) {
      EXPECT_TRUE(
          std::holds_alternative<OutcomeUnknown>(read_authorize_answer(answer(status, body), request)))
          << body;
    }
  }
}

// Each differs from what was asked in one member.
std::vector<std::string> contradictions(const std::string& charge) {
  std::vector<std::string> contradictions{
      replaced(charge, "USD", "EUR"), replaced(charge, "USD", "usd"), replaced(charge, "\"USD\"", "840"),
      replaced(charge, "automatic", "manual"), replaced(charge, "reference-1\"", "reference-2\"")};
  for (const auto* amount :
       {"101", "1", "0", "-100", "\"100\"", "100.0", "100.5", "1e2", "9223372036854775808",
        "-9223372036854775808", "18446744073709551716", "1e400", "true", "[100]", "{}"}) {
    contradictions.push_back(replaced(charge, "100", amount));
  }
  return contradictions;
}

TEST(AuthorizeAnswer, AChargeThatIsNotTheOneAskedForIsAContradiction) {
  for (const auto* charge : {approved, declined}) {
    for (const auto& body : contradictions(charge)) {
      const auto outcome = read_authorize_answer(answer(201, body), request);
      if (body.find("1e400") != std::string::npos) {
        EXPECT_FALSE(std::holds_alternative<Approved>(outcome)) << body;
        continue;
      }
      ASSERT_TRUE(std::holds_alternative<Contradicted>(outcome)) << body;
      EXPECT_EQ(std::get<Contradicted>(outcome).psp_reference, "sim_1") << body;
    }
  }
  const auto other_key = read_authorize_answer(answer(201, replaced(approved, "-1-1", "-1-2")), request);
  EXPECT_TRUE(std::holds_alternative<Contradicted>(other_key));
}

TEST(AuthorizeAnswer, AContradictionSaysWhatThePspSaysAndWhatWasAsked) {
  const auto outcome = read_authorize_answer(answer(201, replaced(approved, "100", "101")), request);
  ASSERT_TRUE(std::holds_alternative<Contradicted>(outcome));
  EXPECT_EQ(std::get<Contradicted>(outcome).reason,
            "the PSP has a charge of 101 USD and says amount 101, where 100 was asked for");
}

// --- Look-up -----------------------------------------------------------------------------------

std::string list(const std::string& items, bool more = false) {
  return R"({"items":[)" + items + R"(],"more":)" + (more ? "true}" : "false}");
}
LookUpResult look_up(const http::CallResult& found) {
  return read_look_up_answer(found, request);
}

TEST(LookUpAnswer, FindsTheChargeOfTheKey) {
  const auto other = replaced(replaced(declined, "-1-1", "-1-2"), "51", "59");
  const auto found = look_up(answer(200, list(other + "," + approved)));
  ASSERT_TRUE(std::holds_alternative<Approved>(found));
  EXPECT_EQ(std::get<Approved>(found).psp_reference, "sim_1");
  const auto no = look_up(answer(200, list(std::string(declined))));
  ASSERT_TRUE(std::holds_alternative<Declined>(no));
  EXPECT_EQ(std::get<Declined>(no).code, "51");
}

TEST(LookUpAnswer, AChargeThatIsNotTheOneAskedForIsAContradiction) {
  for (const auto* charge : {approved, declined}) {
    for (const auto& body : contradictions(charge)) {
      const auto found = look_up(answer(200, list(body)));
      if (body.find("1e400") != std::string::npos) {
        EXPECT_FALSE(std::holds_alternative<Approved>(found)) << body;
      } else {
        EXPECT_TRUE(std::holds_alternative<Contradicted>(found)) << body;
      }
    }
  }
}

TEST(LookUpAnswer, MoneyTakenTwiceOrUnderAnotherKeyIsAContradiction) {
  const std::string ours(approved);
  const auto other = replaced(approved, "-1-1", "-1-2");
  for (const auto& items :
       {ours + "," + ours, ours + "," + declined, ours + "," + other, other + "," + ours, other}) {
    for (const bool more : {false, true}) {
      EXPECT_TRUE(std::holds_alternative<Contradicted>(look_up(answer(200, list(items, more))))) << items;
    }
  }
}

TEST(LookUpAnswer, NoChargeOnlyIfAWholeListSaysSo) {
  EXPECT_TRUE(std::holds_alternative<NoSuchCharge>(look_up(answer(200, list("")))));
  const auto other = replaced(declined, "-1-1", "-1-2");
  EXPECT_TRUE(std::holds_alternative<NoSuchCharge>(look_up(answer(200, list(other)))));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(look_up(answer(200, list(other, true)))));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(look_up(answer(200, list("", true)))));
}

TEST(LookUpAnswer, AnyOtherAnswerLeavesItUnknown) {
  for (const long status : {0, 201, 204, 301, 400, 401, 404, 410, 422, 429, 500, 503}) {
    EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(look_up(answer(status, list(""))))) << status;
  }
  for (const auto& body :
       {std::string(), std::string("no JSON"), std::string("[]"), std::string("{}"),
        std::string(R"({"items":[]})"), std::string(R"({"items":{},"more":false})"),
        std::string(R"({"items":[],"more":0})"), list("1"), list("{}"),
        list(replaced(replaced(approved, "reference-1\"", "reference-2\""), "-1-1", "-2-1")),
        list(replaced(approved, "\"reference-1-1\"", "null")), list(replaced(approved, "100", "null")),
        list(replaced(approved, "\"approved\"", "\"pending\"")), list(approved).substr(0, 60)}) {
    EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(look_up(answer(200, body)))) << body;
  }
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(look_up(no_answer(true))));
  EXPECT_TRUE(std::holds_alternative<NotSent>(look_up(no_answer(false))));
}

}  // namespace
}  // namespace switchyard::psp::remote_simulator
