#include "psp/questions.hpp"

#include <gmock/gmock.h>

#include "psp/simulator/testing.hpp"

namespace switchyard::psp {
namespace {

using payment::Found;
using payment::OutcomeUnknown;
using simulator::step_of;
using std::chrono::hours;
using ::testing::HasSubstr;

constexpr Timestamp sent_at{std::chrono::milliseconds(1'700'000'000'000)};

// Answers as the test says, and says what it was asked.
class ScriptedProtocol final : public Protocol {
 public:
  explicit ScriptedProtocol(LookUp look_up) : can_(everything) {
    can_.look_up = look_up;
    can_.key_held_for = hours(24);
  }

  std::string_view name() const override { return "scripted"; }
  Capabilities capabilities() const override { return can_; }
  std::expected<std::string, payment::Rejected> encode(const payment::State&,
                                                       const payment::Operation&) const override {
    return "{}";
  }
  http::ClientRequest send(const payment::Step& step) const override {
    return {.method = "POST", .url = "http://psp", .body = step.operation().request, .headers = {}};
  }
  payment::Answer read(const payment::Step&, const http::CallResult&) const override { return answer; }
  std::optional<http::ClientRequest> look_up(const payment::Step&, Timestamp now) const override {
    if (!can_be_asked) return std::nullopt;
    return http::ClientRequest{
        .url = std::to_string(now.time_since_epoch().count()), .body = {}, .headers = {}};
  }
  Found read_look_up(const payment::Step&, const http::ClientRequest& request,
                     const http::CallResult&) const override {
    return OutcomeUnknown{"an answer to " + request.url};
  }

  payment::Answer answer = OutcomeUnknown{};
  bool can_be_asked = true;

 private:
  Capabilities can_;
};

payment::Step sent_step() {
  auto step = step_of({});
  auto& operation = step.state.operations.back();
  operation.phase = payment::Phase::unknown;
  operation.sent_at = sent_at;
  operation.request = "the bytes";
  return step;
}

std::string reason_of(const Found& found) {
  const auto* unknown = std::get_if<OutcomeUnknown>(&found);
  return unknown == nullptr ? "it is known" : unknown->reason;
}

TEST(Questions, ByKeyAreTheProtocols) {
  ScriptedProtocol protocol(LookUp::by_key);
  const auto question = question_of(protocol, sent_step(), sent_at + hours(48));
  ASSERT_TRUE(question);
  EXPECT_EQ(question->url, "1700172800000");
  EXPECT_EQ(reason_of(read_reply(protocol, sent_step(), *question, {})), "an answer to 1700172800000");
  protocol.can_be_asked = false;
  EXPECT_EQ(question_of(protocol, sent_step(), sent_at).error().reason, "the PSP cannot be asked for it");
}

TEST(Questions, ByResendAreTheIdenticalRequestWhileThePspKeepsTheKey) {
  const ScriptedProtocol protocol(LookUp::by_resend);
  const auto question = question_of(protocol, sent_step(), sent_at + hours(23));
  ASSERT_TRUE(question);
  EXPECT_EQ(question->method, "POST");
  EXPECT_EQ(question->body, "the bytes");

  const auto why_not = [&](const payment::Step& step, Timestamp now) {
    return question_of(protocol, step, now).error().reason;
  };
  EXPECT_THAT(why_not(sent_step(), sent_at + hours(24)), HasSubstr("while it keeps the key, which is over"));
  EXPECT_THAT(why_not(sent_step(), sent_at - hours(1)), HasSubstr("by this machine's clock"));
  auto unwritten = sent_step();
  unwritten.state.operations.back().request.clear();
  EXPECT_THAT(why_not(unwritten, sent_at), HasSubstr("would not be identical"));
}

TEST(Questions, ByResendAreAnsweredAsTheFirstTimeButForARefusal) {
  ScriptedProtocol protocol(LookUp::by_resend);
  const auto found = [&] { return read_reply(protocol, sent_step(), {}, {}); };
  protocol.answer = payment::Succeeded{"ref", Money(100, *Currency::parse("USD"))};
  EXPECT_TRUE(std::holds_alternative<payment::Succeeded>(found()));
  protocol.answer = payment::Declined{};
  EXPECT_TRUE(std::holds_alternative<payment::Declined>(found()));
  protocol.answer = payment::Pending{"ref", {}};
  EXPECT_TRUE(std::holds_alternative<payment::Pending>(found()));
  protocol.answer = payment::NotSent{"connection refused"};
  EXPECT_TRUE(std::holds_alternative<payment::NotSent>(found()));
  protocol.answer = payment::Rejected{"no such account"};
  EXPECT_EQ(reason_of(found()), "no such account") << "the first sending may have been taken";
}

TEST(Questions, CannotBePutToAPspThatCanOnlyBeWaitedFor) {
  const ScriptedProtocol protocol(LookUp::none);
  const auto unknown = question_of(protocol, sent_step(), sent_at).error();
  EXPECT_EQ(unknown.reason, "the PSP cannot be asked for it");
  EXPECT_FALSE(unknown.was_called);
}

}  // namespace
}  // namespace switchyard::psp
