#include "psp/simulator/answers.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "psp/simulator/testing.hpp"

namespace switchyard::psp::simulator {
namespace {

using payment::Contradicted;
using payment::Declined;
using payment::Kind;
using payment::NoSuchOperation;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::ReasonKind;
using payment::Rejected;
using payment::Succeeded;
using ::testing::HasSubstr;

constexpr Kind kinds[] = {Kind::authorize, Kind::capture, Kind::void_, Kind::refund};

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what << " in " << text;
  return text.replace(at, what.size(), with);
}

payment::Step sent(Kind kind) {
  const bool is_held = kind == Kind::capture || kind == Kind::void_;
  return step_of(
      {.kind = kind,
       .key = "key-2",
       .capture_method = is_held ? payment::CaptureMethod::manual : payment::CaptureMethod::automatic});
}

// What psp-simulator says where all is well.
std::string good(Kind kind) {
  if (kind == Kind::authorize) {
    return R"({"id":"sim_2","reference":"reference-1","idempotency_key":"key-2","amount":100,)"
           R"("currency":"USD","capture_method":"automatic","status":"approved"})";
  }
  const std::string of_others =
      R"({"id":"sim_2","kind":"refund","charge":"sim_key-1","reference":"reference-1",)"
      R"("idempotency_key":"key-2","amount":100,"currency":"USD","status":"succeeded"})";
  return replaced(of_others, "refund", payment::to_string(kind));
}
std::string success(Kind kind) {
  return kind == Kind::authorize ? R"("approved")" : R"("succeeded")";
}
std::string with_status(Kind kind, const std::string& members) {
  return replaced(good(kind), success(kind), members);
}
std::string declined_body(Kind kind, const std::string& code = "51",
                          const std::string& decline_kind = "soft") {
  return with_status(kind, R"("declined","code":")" + code + R"(","decline_kind":")" + decline_kind + '"');
}
std::string pending_body(Kind kind) {
  return with_status(kind, R"("pending")");
}

http::CallResult answer(long status, std::string body) {
  return http::ClientResponse{.status = status, .body = std::move(body)};
}
http::CallResult no_answer(bool perhaps_sent) {
  return std::unexpected(http::CallFailure{.perhaps_sent = perhaps_sent, .reason = "why"});
}
payment::Answer read(Kind kind, long status, std::string body) {
  return read_answer(sent(kind), answer(status, std::move(body)));
}

template <class What, class Variant>
bool is(const Variant& variant) {
  return std::holds_alternative<What>(variant);
}

// --- To what was sent --------------------------------------------------------------------------

TEST(Answer, WhatWasAskedHasSucceeded) {
  for (const auto kind : kinds) {
    for (const long status : {200, 201}) {
      const auto outcome = read(kind, status, good(kind));
      ASSERT_TRUE(is<Succeeded>(outcome)) << to_string(kind) << status;
      EXPECT_EQ(std::get<Succeeded>(outcome).psp_reference, "sim_2");
      EXPECT_EQ(std::get<Succeeded>(outcome).amount, Money(100, *Currency::parse("USD")));
    }
  }
}

TEST(Answer, ADeclineIsADeclineWithItsReason) {
  for (const auto kind : kinds) {
    const auto soft = read(kind, 201, declined_body(kind));
    ASSERT_TRUE(is<Declined>(soft)) << to_string(kind);
    EXPECT_EQ(std::get<Declined>(soft).reason,
              (payment::Reason{"51", "insufficient funds", ReasonKind::soft_decline}));
    EXPECT_EQ(std::get<Declined>(soft).psp_reference, "sim_2");
    EXPECT_EQ(std::get<Declined>(soft).amount, Money(100, *Currency::parse("USD")));
    const auto hard = read(kind, 200, declined_body(kind, "05", "hard"));
    ASSERT_TRUE(is<Declined>(hard)) << to_string(kind);
    EXPECT_EQ(std::get<Declined>(hard).reason, (payment::Reason{"05", "", ReasonKind::hard_decline}));
  }
}

TEST(Answer, WhatIsPendingIsWaitedFor) {
  for (const auto kind : kinds) {
    const auto outcome = read(kind, 201, pending_body(kind));
    ASSERT_TRUE(is<Pending>(outcome)) << to_string(kind);
    EXPECT_EQ(std::get<Pending>(outcome).psp_reference, "sim_2");
    EXPECT_EQ(std::get<Pending>(outcome).amount, Money(100, *Currency::parse("USD")));
  }
}

TEST(Answer, ThePrecisePlaceWhereARequestWasLostDecides) {
  for (const auto kind : kinds) {
    EXPECT_TRUE(is<NotSent>(read_answer(sent(kind), no_answer(false))));
    const auto unknown = read_answer(sent(kind), no_answer(true));
    ASSERT_TRUE(is<OutcomeUnknown>(unknown));
    EXPECT_EQ(std::get<OutcomeUnknown>(unknown).reason, "why");
  }
}

constexpr long refusals[] = {400, 401, 403, 404, 405, 413, 415, 431};

TEST(Answer, ARequestThatWasRefusedAsItWasReadIsRejected) {
  for (const auto kind : kinds) {
    for (const long status : refusals) {
      EXPECT_TRUE(is<Rejected>(read(kind, status, "{}"))) << status;
      EXPECT_TRUE(is<Rejected>(read(kind, status, "<html>"))) << status;
    }
  }
  const auto told = read(Kind::refund, 404, R"({"detail":"there is no such charge"})");
  EXPECT_EQ(std::get<Rejected>(told).reason, "the PSP answered 404: there is no such charge");
}

TEST(Answer, TooManyRequestsIsNotSent) {
  for (const auto kind : kinds) EXPECT_TRUE(is<NotSent>(read(kind, 429, "{}")));
}

// Some of these would end as if there were nothing, with the charge at the PSP.
TEST(Answer, ARefusalThatSpeaksOfAChargeIsUnknown) {
  for (const auto kind : kinds) {
    for (const long status : {400, 401, 403, 404, 405, 413, 415, 422, 429, 431}) {
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, good(kind)))) << status;
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, declined_body(kind, "over_what_is_left", "hard"))))
          << status;
    }
  }
}

TEST(Answer, WhatTheChargeDoesNotAllowIsDeclined) {
  for (const auto* code : {"over_what_is_left", "wrong_state"}) {
    const auto body = R"({"status":422,"error":"no","code":")" + std::string(code) + R"("})";
    for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
      const auto outcome = read(kind, 422, body);
      ASSERT_TRUE(is<Declined>(outcome)) << code;
      EXPECT_EQ(std::get<Declined>(outcome).reason.code, code);
      EXPECT_NE(std::get<Declined>(outcome).reason.message, "");
      EXPECT_EQ(std::get<Declined>(outcome).reason.kind, ReasonKind::hard_decline);
      for (const long status : {409, 500}) EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, body)));
    }
    EXPECT_TRUE(is<OutcomeUnknown>(read(Kind::authorize, 422, body)));
  }
  for (const auto* body :
       {"{}", R"({"code":"idempotency_key_reused"})", R"({"code":"51"})", R"({"code":1})"}) {
    for (const auto kind : kinds) EXPECT_TRUE(is<OutcomeUnknown>(read(kind, 422, body))) << body;
  }
}

TEST(Answer, AnyOtherStatusIsUnknownWhateverTheBodySays) {
  for (const auto kind : kinds) {
    for (const long status : {0,   100, 202, 204, 206, 301, 302, 304, 307, 308, 402, 406, 408,
                              409, 410, 418, 422, 423, 425, 499, 500, 501, 502, 503, 504, 599}) {
      EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, good(kind)))) << status;
    }
  }
}

// Nothing that is said, or nothing that can be understood.
std::vector<std::string> unreadable(Kind kind) {
  const auto charge = good(kind);
  std::vector<std::string> bodies{"",
                                  "<html>approved</html>",
                                  "[]",
                                  "null",
                                  "{}",
                                  charge.substr(0, 40),
                                  charge + "}",
                                  replaced(charge, R"("sim_2")", R"("")"),
                                  replaced(charge, R"("reference":"reference-1",)", ""),
                                  replaced(charge, R"("key-2")", "null"),
                                  replaced(charge, R"("amount":100,)", ""),
                                  replaced(charge, "USD", ""),
                                  with_status(kind, R"("taken")"),
                                  with_status(kind, "true"),
                                  with_status(kind, success(kind) + R"(,"status":"declined")"),
                                  declined_body(kind, ""),
                                  declined_body(kind, "51", "maybe"),
                                  with_status(kind, R"("declined","code":"51")"),
                                  with_status(kind, R"("declined","decline_kind":"soft")")};
  for (const auto* amount : {"null", R"("100")", "true", "[100]", "{}", "1e400"}) {
    bodies.push_back(replaced(charge, "100", amount));
  }
  if (kind == Kind::authorize) {
    bodies.push_back(replaced(charge, R"("capture_method":"automatic",)", ""));
    bodies.push_back(with_status(kind, R"("succeeded")"));
  } else {
    bodies.push_back(replaced(charge, R"("charge":"sim_key-1",)", ""));
    bodies.push_back(replaced(charge, R"("kind":)", R"("find":)"));
    bodies.push_back(with_status(kind, R"("approved")"));
  }
  return bodies;
}

TEST(Answer, WhatCannotBeReadIsUnknown) {
  for (const auto kind : kinds) {
    for (const auto& body : unreadable(kind)) {
      for (const long status : {200, 201}) {
        EXPECT_TRUE(is<OutcomeUnknown>(read(kind, status, body))) << body;
      }
    }
  }
}

// Each differs from what was asked in one member.
std::vector<std::string> contradictions(Kind kind, const std::string& charge) {
  std::vector<std::string> contradictions{replaced(charge, "USD", "usd"), replaced(charge, R"("USD")", "840"),
                                          replaced(charge, "reference-1\"", "reference-2\""),
                                          replaced(charge, "key-2", "key-3")};
  for (const auto* amount :
       {"100.0", "100.5", "1e2", "9223372036854775808", "18446744073709551716", "1e300"}) {
    contradictions.push_back(replaced(charge, "100", amount));
  }
  if (kind == Kind::authorize) {
    contradictions.push_back(replaced(charge, "automatic", "manual"));
    return contradictions;
  }
  contradictions.push_back(replaced(charge, "sim_key-1", "sim_key-2"));
  for (const auto other : kinds) {
    const auto name = '"' + std::string(payment::to_string(other)) + '"';
    if (other != kind) {
      contradictions.push_back(replaced(charge, '"' + std::string(payment::to_string(kind)) + '"', name));
    }
  }
  return contradictions;
}

// In amount or currency, which the machine finds.
std::vector<std::pair<std::string, Money>> other_amounts(const std::string& charge) {
  const auto usd = *Currency::parse("USD");
  return {{replaced(charge, "100", "101"), {101, usd}},
          {replaced(charge, "100", "1"), {1, usd}},
          {replaced(charge, "100", "0"), {0, usd}},
          {replaced(charge, "100", "-100"), {-100, usd}},
          {replaced(charge, "100", "-9223372036854775808"), {INT64_MIN, usd}},
          {replaced(charge, "USD", "EUR"), {100, *Currency::parse("EUR")}},
          {replaced(charge, "USD", "BGN"), {100, *Currency::parse_stored("BGN")}}};
}

TEST(Answer, WhatIsNotWhatWasAskedForIsAContradiction) {
  for (const auto kind : kinds) {
    for (const auto& said : {good(kind), declined_body(kind), pending_body(kind)}) {
      for (const auto& body : contradictions(kind, said)) {
        const auto outcome = read(kind, 201, body);
        ASSERT_TRUE(is<Contradicted>(outcome)) << body;
        EXPECT_EQ(std::get<Contradicted>(outcome).psp_reference, "sim_2") << body;
      }
    }
  }
}

std::optional<Money> amount_of(const payment::Answer& answer) {
  if (const auto* succeeded = std::get_if<Succeeded>(&answer)) return succeeded->amount;
  if (const auto* declined = std::get_if<Declined>(&answer)) return declined->amount;
  return std::get<Pending>(answer).amount;
}

TEST(Answer, AnotherAmountIsPassedOnAndFoundByTheMachine) {
  const payment::OneAccount psp("psp", [](const auto&, const auto&) { return "request"; });
  for (const auto kind : kinds) {
    for (const auto& said : {good(kind), declined_body(kind), pending_body(kind)}) {
      for (const auto& [body, amount] : other_amounts(said)) {
        const auto outcome = read(kind, 201, body);
        ASSERT_EQ(amount_of(outcome), amount) << body;
        const auto step = payment::answered(sent(kind), outcome, psp, Timestamp(), {});
        EXPECT_EQ(step.operation().phase, payment::Phase::manual_review) << body;
        EXPECT_EQ(step.operation().psp_reference, "sim_2");
        EXPECT_THAT(step.operation().reason.message, HasSubstr("where 1.00 USD was asked for"));
      }
    }
  }
}

TEST(Answer, AContradictionSaysWhatThePspSaysAndWhatWasAsked) {
  const auto reason = [](Kind kind, const std::string& body) {
    const auto outcome = read(kind, 201, body);
    EXPECT_TRUE(is<Contradicted>(outcome)) << body;
    return std::get<Contradicted>(outcome).reason;
  };
  EXPECT_EQ(reason(Kind::authorize, replaced(good(Kind::authorize), "automatic", "manual")),
            "the PSP has a charge of 100 USD and says capture method manual, where automatic was asked for");
  EXPECT_EQ(reason(Kind::refund, replaced(good(Kind::refund), "refund", "void")),
            "the PSP has a refund of 100 USD and says kind void, where refund was asked for");
  EXPECT_EQ(reason(Kind::capture, replaced(good(Kind::capture), "100", "1.5")),
            "the PSP speaks of 1.5E0 USD, where 100 USD was asked for");
}

// --- To the question what became of it ---------------------------------------------------------

std::string list_body(const std::string& items, bool more = false) {
  return R"({"items":[)" + items + R"(],"more":)" + (more ? "true}" : "false}");
}
payment::Found look_up(Kind kind, long status, const std::string& body) {
  auto step = sent(kind);
  step.action = payment::Action::look_up;
  return read_look_up_answer(step, answer(status, body));
}
payment::Found look_up(Kind kind, const std::string& items, bool more = false) {
  return look_up(kind, 200, list_body(items, more));
}
std::string of_another_key(const std::string& charge) {
  return replaced(charge, "key-2", "key-3");
}

TEST(LookUp, FindsWhatThePspHasUnderTheKey) {
  for (const auto kind : kinds) {
    const auto found = look_up(kind, good(kind));
    ASSERT_TRUE(is<Succeeded>(found)) << to_string(kind);
    EXPECT_EQ(std::get<Succeeded>(found).psp_reference, "sim_2");
    EXPECT_EQ(std::get<Succeeded>(found).amount.minor(), 100);
    const auto no = look_up(kind, declined_body(kind));
    ASSERT_TRUE(is<Declined>(no));
    EXPECT_EQ(std::get<Declined>(no).reason.code, "51");
    EXPECT_TRUE(is<Pending>(look_up(kind, pending_body(kind))));
  }
  const auto other = of_another_key(declined_body(Kind::authorize, "59", "hard"));
  EXPECT_TRUE(is<Succeeded>(look_up(Kind::authorize, other + "," + good(Kind::authorize))));
}

// The amount that it shows is not the one that was asked for, where nothing was held.
TEST(LookUp, WhatTheChargeDidNotAllowIsOfNoAmount) {
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    const auto found = look_up(kind, replaced(declined_body(kind, "wrong_state", "hard"), "100", "0"));
    ASSERT_TRUE(is<Declined>(found));
    EXPECT_FALSE(std::get<Declined>(found).amount);
  }
}

TEST(LookUp, WhatIsNotWhatWasAskedForIsAContradiction) {
  for (const auto kind : kinds) {
    for (const auto& said : {good(kind), declined_body(kind)}) {
      for (const auto& body : contradictions(kind, said)) {
        // Under another key or reference it may be another one's.
        if (body.find("key-2") == std::string::npos) continue;
        EXPECT_TRUE(is<Contradicted>(look_up(kind, body))) << body;
      }
    }
  }
}

TEST(LookUp, TwoOfOneKeyIsAContradiction) {
  for (const auto kind : kinds) {
    for (const auto& items : {good(kind) + "," + good(kind), good(kind) + "," + declined_body(kind)}) {
      for (const bool more : {false, true})
        EXPECT_TRUE(is<Contradicted>(look_up(kind, items, more))) << items;
    }
  }
}

TEST(LookUp, MoneyUnderAnotherKeyIsAContradiction) {
  const auto ours = good(Kind::authorize);
  for (const auto& other : {of_another_key(ours), of_another_key(pending_body(Kind::authorize))}) {
    for (const auto& items : {ours + "," + other, other + "," + ours, other}) {
      for (const bool more : {false, true}) {
        EXPECT_TRUE(is<Contradicted>(look_up(Kind::authorize, items, more))) << items;
      }
    }
  }
}

TEST(LookUp, ThereIsNoneOnlyIfAWholeListSaysSo) {
  for (const auto kind : kinds) {
    EXPECT_TRUE(is<NoSuchOperation>(look_up(kind, "")));
    EXPECT_TRUE(is<OutcomeUnknown>(look_up(kind, "", true)));
    // Of a key there is nothing under another one: this list is not the one that was asked for.
    const auto other = look_up(kind, of_another_key(declined_body(kind)));
    EXPECT_EQ(is<NoSuchOperation>(other), kind == Kind::authorize);
    EXPECT_EQ(is<OutcomeUnknown>(other), kind != Kind::authorize);
    EXPECT_TRUE(is<OutcomeUnknown>(look_up(kind, of_another_key(declined_body(kind)), true)));
  }
}

TEST(LookUp, AnyOtherAnswerLeavesItUnknown) {
  for (const auto kind : kinds) {
    for (const long status : {0, 201, 204, 301, 400, 401, 404, 410, 422, 429, 500, 503}) {
      EXPECT_TRUE(is<OutcomeUnknown>(look_up(kind, status, list_body("")))) << status;
      EXPECT_TRUE(is<OutcomeUnknown>(look_up(kind, status, list_body(good(kind))))) << status;
    }
    for (const auto& body : {std::string(), std::string("no JSON"), std::string("[]"), std::string("{}"),
                             std::string(R"({"items":[]})"), std::string(R"({"items":{},"more":false})"),
                             std::string(R"({"items":[],"more":0})"), list_body("1"), list_body("{}"),
                             list_body(replaced(of_another_key(good(kind)), "reference-1", "reference-2")),
                             list_body(good(kind)).substr(0, 60)}) {
      EXPECT_TRUE(is<OutcomeUnknown>(look_up(kind, 200, body))) << body;
    }
    for (const auto& body : unreadable(kind)) {
      EXPECT_TRUE(is<OutcomeUnknown>(look_up(kind, body.empty() ? "1" : body))) << body;
    }
    EXPECT_TRUE(is<OutcomeUnknown>(read_look_up_answer(sent(kind), no_answer(true))));
    EXPECT_TRUE(is<NotSent>(read_look_up_answer(sent(kind), no_answer(false))));
  }
}

}  // namespace
}  // namespace switchyard::psp::simulator
