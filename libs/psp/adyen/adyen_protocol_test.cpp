#include "psp/adyen/adyen_protocol.hpp"

#include <gmock/gmock.h>

#include "psp/adyen/testing.hpp"

namespace switchyard::psp::adyen {
namespace {

using payment::Kind;
using payment::Phase;
using std::chrono::hours;

// testing.hpp sends at one o'clock.
constexpr Timestamp sent_at(hours(1));

payment::Step unknown_step(Kind kind) {
  auto step = step_of({.kind = kind});
  step.state.operations.back().phase = Phase::unknown;
  return step;
}

TEST(AdyenProtocol, SaysWhatItCanDo) {
  auto settings = test_settings();
  EXPECT_EQ(AdyenProtocol(settings).name(), "adyen-eu");
  const auto can = AdyenProtocol(settings).capabilities();
  EXPECT_EQ(can.look_up, LookUp::by_key);
  EXPECT_EQ(can.key_held_for, hours(167));
  EXPECT_TRUE(can.partial_capture && can.late_results);
  EXPECT_FALSE(can.several_captures);
  settings.several_captures = true;
  EXPECT_TRUE(AdyenProtocol(settings).capabilities().several_captures);
}

TEST(AdyenProtocol, WhatIsEncodedIsSentAndItsAnswerRead) {
  const AdyenProtocol protocol(test_settings());
  auto step = step_to_encode({});
  step.state.operations.back().request = protocol.encode(step.state, step.operation()).value();
  EXPECT_EQ(protocol.send(step).body, step.operation().request);
  const auto answer = protocol.read(
      step,
      http::ClientResponse{
          .status = 200,
          .body = R"({"pspReference":"P","resultCode":"Authorised","amount":{"currency":"EUR","value":2000},)"
                  R"("merchantReference":"7_0123456789abcdef0123456789abcdef_1"})"});
  EXPECT_TRUE(std::holds_alternative<payment::Succeeded>(answer));
  EXPECT_FALSE(
      protocol
          .encode(step_to_encode({.currency = "BIF"}).state, step_to_encode({.currency = "BIF"}).operation())
          .has_value());
}

TEST(AdyenProtocol, ALostOutcomeIsLearnedByTheSameRequest) {
  const AdyenProtocol protocol(test_settings());
  for (const auto kind : kinds) {
    const auto step = unknown_step(kind);
    const auto sent = protocol.send(step);
    for (const auto now : {sent_at, sent_at + hours(24), sent_at + hours(167) - std::chrono::minutes(5)}) {
      const auto asked = protocol.look_up(step, now);
      ASSERT_TRUE(asked.has_value()) << to_string(kind);
      EXPECT_EQ(asked->method, "POST");
      EXPECT_EQ(asked->url, sent.url);
      EXPECT_EQ(asked->body, sent.body);
      EXPECT_EQ(asked->headers, sent.headers);
    }
  }
}

// It would be another payment.
TEST(AdyenProtocol, NothingIsSentAgainWhenTheKeyMayBeForgotten) {
  const AdyenProtocol protocol(test_settings());
  for (const auto kind : kinds) {
    auto step = unknown_step(kind);
    for (const auto now : {sent_at + hours(167) - std::chrono::minutes(4), sent_at + hours(24 * 365)}) {
      EXPECT_FALSE(protocol.look_up(step, now).has_value());
    }
    for (const auto now : {sent_at - std::chrono::milliseconds(1), Timestamp()}) {
      EXPECT_FALSE(protocol.look_up(step, now).has_value()) << "this clock is wrong, or was";
    }
    auto never_sent = step;
    never_sent.state.operations.back().sent_at.reset();
    EXPECT_FALSE(protocol.look_up(never_sent, sent_at).has_value());
    auto not_written_down = step;
    not_written_down.state.operations.back().request.clear();
    EXPECT_FALSE(protocol.look_up(not_written_down, sent_at).has_value());
  }
}

TEST(AdyenProtocol, WhatAdyenWillSayByItselfIsNotAskedFor) {
  const AdyenProtocol protocol(test_settings());
  for (const auto kind : kinds) {
    for (const auto phase : {Phase::pending, Phase::action_required}) {
      auto step = unknown_step(kind);
      step.state.operations.back().phase = phase;
      EXPECT_FALSE(protocol.look_up(step, sent_at).has_value()) << to_string(kind);
    }
  }
}

TEST(AdyenProtocol, TheAnswerToTheSameRequestIsWhatWasFound) {
  const AdyenProtocol protocol(test_settings());
  const auto step = unknown_step(Kind::refund);
  const auto asked = protocol.look_up(step, sent_at);
  const auto found = protocol.read_look_up(
      step, asked.value(),
      http::ClientResponse{.status = 201,
                           .body = R"({"merchantAccount":"SwitchyardECOM","status":"received",)"
                                   R"("paymentPspReference":"SYPSP00000000001","pspReference":"P2",)"
                                   R"("reference":"7_0123456789abcdef0123456789abcdef_2"})"});
  EXPECT_TRUE(std::holds_alternative<payment::Pending>(found));
  const auto refused =
      protocol.read_look_up(step, asked.value(), http::ClientResponse{.status = 404, .body = "{}"});
  EXPECT_TRUE(std::holds_alternative<payment::OutcomeUnknown>(refused));
}

}  // namespace
}  // namespace switchyard::psp::adyen
