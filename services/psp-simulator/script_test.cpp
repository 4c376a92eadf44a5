#include "psp-simulator/script.hpp"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>

#include "http/json.hpp"

namespace switchyard::psp_simulator {
namespace {

using payment::Kind;
using psp::simulator::Answer;
using psp::simulator::Charging;
using ::testing::HasSubstr;

std::expected<ScriptRules, std::string> read_rules(std::string_view text) {
  const auto value = http::parse_json(text);
  EXPECT_TRUE(value && value->is_object()) << text;
  return read_script(value->get_object());
}

void load(Script& script, std::string_view text) {
  auto rules = read_rules(text);
  ASSERT_TRUE(rules) << rules.error();
  script.replace(std::move(*rules));
}

TEST(Script, WithoutRulesTheAmountDecides) {
  Script script;
  EXPECT_EQ(script.decide(Kind::authorize, "a", 100).answer, Answer::given);
  EXPECT_EQ(script.decide(Kind::authorize, "a", 200'017).charging, Charging::decline);
  EXPECT_EQ(script.decide(Kind::authorize, "a", 600'001).delay, psp::simulator::usual_delay);
}

TEST(Script, ARuleAppliesToSoManyRequests) {
  Script script;
  load(script, R"({"rules":[{"behaviour":"reset_after_charge","requests":2}]})");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(script.decide(Kind::authorize, "a", 100).answer, Answer::reset);
  EXPECT_EQ(script.decide(Kind::authorize, "a", 100).answer, Answer::given);
}

TEST(Script, ARuleAppliesToItsReference) {
  Script script;
  load(script,
       R"({"rules":[{"behaviour":"hard_decline","reference":"a"},{"behaviour":"slow","delay_ms":20}]})");
  EXPECT_EQ(script.decide(Kind::authorize, "a", 100).charging, Charging::decline);
  const auto other = script.decide(Kind::authorize, "b", 100);
  EXPECT_EQ(other.answer, Answer::late);
  EXPECT_EQ(other.delay, std::chrono::milliseconds(20));
}

TEST(Script, ARuleAppliesToItsKind) {
  Script script;
  load(script,
       R"({"rules":[{"behaviour":"hard_decline","kind":"refund"},{"behaviour":"slow","kind":"void"}]})");
  for (const auto kind : {Kind::authorize, Kind::capture, Kind::void_, Kind::refund}) {
    const auto behaviour = script.decide(kind, "a", 100);
    EXPECT_EQ(behaviour.charging == Charging::decline, kind == Kind::refund);
    EXPECT_EQ(behaviour.answer == Answer::late, kind == Kind::void_);
  }
}

TEST(Script, TheAmountOfAVoidMeansNothing) {
  Script script;
  for (const auto kind : {Kind::authorize, Kind::capture, Kind::refund}) {
    EXPECT_EQ(script.decide(kind, "a", 200'017).charging, Charging::decline);
  }
  EXPECT_EQ(script.decide(Kind::void_, "a", 200'017).charging, Charging::approve);
}

TEST(Script, ADelayIsThatOfALateResult) {
  Script script;
  for (const auto* name : {"slow", "pending", "pending_then_declined", "taken_back"}) {
    load(script, R"({"rules":[{"delay_ms":20,"behaviour":")" + std::string(name) + R"("}]})");
    EXPECT_EQ(script.decide(Kind::refund, "a", 100).delay, std::chrono::milliseconds(20)) << name;
    EXPECT_THAT(script.to_json(), HasSubstr(R"("delay_ms":20)"));
    load(script, R"({"rules":[{"behaviour":")" + std::string(name) + R"("}]})");
    EXPECT_EQ(script.decide(Kind::refund, "a", 100).delay, psp::simulator::usual_delay) << name;
  }
}

TEST(Script, ARuleForEventsIsForNoRequestAndTheOtherWayRound) {
  Script script;
  load(script, R"({"rules":[{"behaviour":"event_late","delay_ms":20,"kind":"refund","requests":1},)"
               R"({"behaviour":"hard_decline"},{"behaviour":"event_doubled","reference":"a"}]})");
  EXPECT_EQ(script.decide(Kind::refund, "a", 100).charging, Charging::decline);
  EXPECT_THAT(script.to_json(), HasSubstr(R"("delay_ms":20)"));
  const auto late = script.of_event(Kind::refund, "b");
  EXPECT_EQ(late.what, EventFault::late);
  EXPECT_EQ(late.delay, std::chrono::milliseconds(20));
  EXPECT_EQ(script.of_event(Kind::refund, "b").what, EventFault::none) << "it was for one event";
  EXPECT_EQ(script.of_event(Kind::refund, "a").what, EventFault::doubled);
  load(script, R"({"rules":[{"behaviour":"event_reordered","requests":1},{"behaviour":"event_lost"}]})");
  EXPECT_EQ(script.of_event(Kind::void_, "a").what, EventFault::reordered);
  EXPECT_EQ(script.of_event(Kind::void_, "a").what, EventFault::lost);
}

TEST(Script, AProbabilityIsRepeatedByItsSeed) {
  const auto decisions = [](std::string_view seed) {
    Script script;
    load(script, R"({"rules":[{"behaviour":"error_before_charge","probability":0.3}],"seed":)" +
                     std::string(seed) + "}");
    std::vector<bool> errors;
    for (int i = 0; i < 1000; ++i) {
      errors.push_back(script.decide(Kind::authorize, "a", 100).answer == Answer::error);
    }
    return errors;
  };
  const auto errors = decisions("7");
  const auto count = std::ranges::count(errors, true);
  EXPECT_GT(count, 200);
  EXPECT_LT(count, 400);
  EXPECT_EQ(decisions("7"), errors);
  EXPECT_NE(decisions("8"), errors);
}

TEST(Script, IsShownWithWhatIsLeft) {
  Script script;
  load(script, R"({"rules":[{"behaviour":"slow","requests":2,"delay_ms":20,"reference":"a","probability":1,)"
               R"("kind":"authorize"},)"
               R"({"behaviour":"approve","probability":0.5}],"seed":7})");
  script.decide(Kind::authorize, "a", 100);
  EXPECT_EQ(script.to_json(), R"({"rules":[{"behaviour":"slow","kind":"authorize","reference":"a",)"
                              R"("requests":1,"delay_ms":20},)"
                              R"({"behaviour":"approve","probability":0.5}],"seed":7})");
  EXPECT_TRUE(read_rules(script.to_json()));
}

TEST(ScriptRules, TheErrorSaysWhatIsWrong) {
  const auto rule = [](std::string_view members) {
    return R"({"rules":[{"behaviour":"approve"},{)" + std::string(members) + "}]}";
  };
  const std::vector<std::pair<std::string, const char*>> wrong{
      {"{}", "rules must be a list"},
      {R"({"rules":{}})", "rules must be a list"},
      {R"({"rules":[],"more":1})", "more is no member"},
      {R"({"rules":[],"seed":-1})", "seed"},
      {R"({"rules":[],"seed":"7"})", "seed"},
      {R"({"rules":[1]})", "rules[0]: must be an object"},
      {rule(""), "rules[1]: behaviour is missing"},
      {rule(R"("requests":1)"), "rules[1]: behaviour is missing"},
      {rule(R"("behaviour":"explode")"), "time_out_after_charge"},
      {rule(R"("behaviour":1)"), "behaviour must be one of"},
      {rule(R"("behaviour":"approve","next":1)"), "next is no member"},
      {rule(R"("behaviour":"approve","requests":0)"), "requests must be"},
      {rule(R"("behaviour":"approve","requests":1.5)"), "requests must be"},
      {rule(R"("behaviour":"approve","probability":0)"), "probability must be"},
      {rule(R"("behaviour":"approve","probability":1.1)"), "probability must be"},
      {rule(R"("behaviour":"approve","probability":"1")"), "probability must be"},
      {rule(R"("behaviour":"approve","reference":"")"), "reference must be"},
      {rule(R"("behaviour":"approve","reference":"a b")"), "reference must be"},
      {rule(R"("behaviour":"approve","delay_ms":20)"), "delay_ms is for"},
      {rule(R"("behaviour":"approve","kind":"settle")"), "kind must be"},
      {rule(R"("behaviour":"approve","kind":null)"), "kind must be"},
      {rule(R"("behaviour":"slow","delay_ms":60001)"), "delay_ms must be"},
      {rule(R"("behaviour":"slow","delay_ms":-1)"), "delay_ms must be"},
  };
  for (const auto& [text, problem] : wrong) {
    const auto rules = read_rules(text);
    ASSERT_FALSE(rules) << text;
    EXPECT_THAT(rules.error(), HasSubstr(problem)) << text;
  }
}

TEST(ScriptRules, AreBounded) {
  std::string text = R"({"rules":[{"behaviour":"approve"})";
  for (int i = 1; i < 100; ++i) text += R"(,{"behaviour":"approve"})";
  EXPECT_TRUE(read_rules(text + "]}"));
  EXPECT_FALSE(read_rules(text + R"(,{"behaviour":"approve"}]})"));
}

}  // namespace
}  // namespace switchyard::psp_simulator
