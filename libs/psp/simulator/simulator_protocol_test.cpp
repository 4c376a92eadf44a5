#include "psp/simulator/simulator_protocol.hpp"

#include <gmock/gmock.h>

#include "psp/simulator/testing.hpp"

namespace switchyard::psp::simulator {
namespace {

using payment::CaptureMethod;
using payment::Kind;
using ::testing::ElementsAre;

std::string encoded(const Wanted& wanted) {
  const auto step = step_of(wanted);
  return SimulatorProtocol("http://psp").encode(step.state, step.operation()).value();
}

// What programs of version 0.1 sent, and what is sent again after an update.
TEST(SimulatorProtocol, AnAuthorizationIsEncodedAsEver) {
  EXPECT_EQ(encoded({}),
            R"({"reference":"reference-1","amount":100,"currency":"USD","capture_method":"automatic"})");
  EXPECT_EQ(encoded({.amount_minor = 1, .capture_method = CaptureMethod::manual, .currency = "JPY"}),
            R"({"reference":"reference-1","amount":1,"currency":"JPY","capture_method":"manual"})");
  auto step = step_of({});
  step.state.transaction.derived_reference.clear();
  EXPECT_EQ(SimulatorProtocol("http://psp").encode(step.state, step.operation()).value(),
            R"({"reference":"00000000-0000-0000-0000-000000000000","amount":100,"currency":"USD",)"
            R"("capture_method":"automatic"})");
}

TEST(SimulatorProtocol, TheOthersAreEncodedWithWhatTheyMove) {
  EXPECT_EQ(encoded({.kind = Kind::capture, .amount_minor = 40}),
            R"({"amount":40,"currency":"USD","final":true})");
  EXPECT_EQ(encoded({.kind = Kind::capture, .amount_minor = 40, .is_final = false}),
            R"({"amount":40,"currency":"USD","final":false})");
  EXPECT_EQ(encoded({.kind = Kind::void_}), "{}");
  EXPECT_EQ(encoded({.kind = Kind::refund, .amount_minor = 1, .currency = "JPY"}),
            R"({"amount":1,"currency":"JPY"})");
}

TEST(SimulatorProtocol, SendsTheStoredBytesUnderTheKey) {
  const SimulatorProtocol protocol("http://psp/below//");
  const std::pair<Kind, const char*> paths[] = {{Kind::authorize, "/charges"},
                                                {Kind::capture, "/charges/sim_key-1/captures"},
                                                {Kind::void_, "/charges/sim_key-1/voids"},
                                                {Kind::refund, "/charges/sim_key-1/refunds"}};
  for (const auto& [kind, path] : paths) {
    auto step = step_of({.kind = kind, .key = "key-2"});
    step.state.operations[step.index].request = "what was stored";
    const auto request = protocol.send(step);
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.url, std::string("http://psp/below") + path);
    EXPECT_EQ(request.body, "what was stored");
    EXPECT_THAT(request.headers, ElementsAre("Content-Type: application/json", "Idempotency-Key: key-2"));
    EXPECT_EQ(http::problem_of(request), "");
  }
}

TEST(SimulatorProtocol, WhatThePspCalledTheChargeNeedsAnEscape) {
  auto step = step_of({.kind = Kind::refund});
  step.state.operations[0].psp_reference = "ch 1/../x?y";
  EXPECT_EQ(SimulatorProtocol("http://psp").send(step).url, "http://psp/charges/ch%201%2F..%2Fx%3Fy/refunds");
}

TEST(SimulatorProtocol, LooksUpAChargeByItsReferenceAndTheOthersByTheirKey) {
  const SimulatorProtocol protocol("http://psp");
  const auto url_of = [&](Kind kind) {
    const auto request = protocol.look_up(step_of({.kind = kind, .key = "key-2"}), {});
    EXPECT_EQ(request.value().method, "GET");
    return request.value().url;
  };
  EXPECT_EQ(url_of(Kind::authorize), "http://psp/charges?reference=reference-1");
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    EXPECT_EQ(url_of(kind), "http://psp/operations?idempotency_key=key-2");
  }
}

TEST(SimulatorProtocol, SaysWhatItCanDo) {
  const auto can = SimulatorProtocol("http://psp").capabilities();
  EXPECT_EQ(can.look_up, LookUp::by_key);
  EXPECT_TRUE(can.partial_capture && can.several_captures && can.late_results);
  EXPECT_GT(can.key_held_for, std::chrono::hours(24 * 365));
}

}  // namespace
}  // namespace switchyard::psp::simulator
