#include "routing/breaker.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "payment/testing.hpp"

namespace switchyard::routing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Timestamp start{milliseconds(1'700'000'000'000)};

// 'a' an answer, 'n' not sent, 'u' unknown, 's' sent, blank: nothing.
struct Event {
  // Since the start.
  milliseconds at;
  char what;
  BreakerState state;
  bool lets_through;
};

constexpr auto closed = BreakerState::closed;
constexpr auto open = BreakerState::open;
constexpr auto half_open = BreakerState::half_open;

// Opens at three failures of four calls or fewer within 10 s, for 20 s, 40 s and at last 60 s.
constexpr BreakerPolicy policy{.window = seconds(10),
                               .failures_min = 3,
                               .failures_percent = 75,
                               .open_for = seconds(20),
                               .open_for_max = seconds(60),
                               .probe_for = seconds(5)};

void tell(Breaker& breaker, char what, Timestamp now) {
  if (what == 's') breaker.sent(now);
  if (what == 'a') breaker.heard(Heard::answered, now);
  if (what == 'n') breaker.heard(Heard::not_sent, now);
  if (what == 'u') breaker.heard(Heard::unknown, now);
}

void expect_events(const char* name, const std::vector<Event>& events) {
  SCOPED_TRACE(name);
  Breaker breaker(policy);
  for (const auto& event : events) {
    const auto now = start + event.at;
    tell(breaker, event.what, now);
    EXPECT_EQ(to_string(breaker.state(now)), to_string(event.state)) << event.at.count() << " ms";
    EXPECT_EQ(breaker.lets_through(now), event.lets_through) << event.at.count() << " ms";
  }
}

TEST(Breaker, OpensWhenTooManyCallsFail) {
  expect_events(
      "the third failure of three",
      {{seconds(0), 'u', closed, true}, {seconds(1), 'n', closed, true}, {seconds(2), 'u', open, false}});
  expect_events("three failures of four", {{seconds(0), 'a', closed, true},
                                           {seconds(1), 'n', closed, true},
                                           {seconds(2), 'n', closed, true},
                                           {seconds(2), 'n', open, false}});
  expect_events("five failures of seven are too few, six of eight are not", {{seconds(0), 'a', closed, true},
                                                                             {seconds(0), 'a', closed, true},
                                                                             {seconds(1), 'u', closed, true},
                                                                             {seconds(2), 'u', closed, true},
                                                                             {seconds(3), 'u', closed, true},
                                                                             {seconds(4), 'u', closed, true},
                                                                             {seconds(5), 'u', closed, true},
                                                                             {seconds(6), 'u', open, false}});
  expect_events("two failures however few calls there are",
                {{seconds(0), 'u', closed, true}, {seconds(1), 'u', closed, true}});
  expect_events(
      "an answer opens nothing",
      {{seconds(0), 'u', closed, true}, {seconds(1), 'u', closed, true}, {seconds(2), 'a', closed, true}});
}

TEST(Breaker, ForgetsWhatIsOlderThanTheWindow) {
  expect_events("two, and one when the first is forgotten", {{seconds(0), 'u', closed, true},
                                                             {seconds(5), 'u', closed, true},
                                                             {milliseconds(10'000), 'u', closed, true},
                                                             {milliseconds(14'999), 'u', open, false}});
  Breaker breaker(policy);
  breaker.heard(Heard::unknown, start);
  breaker.heard(Heard::answered, start + seconds(4));
  EXPECT_EQ(breaker.counts(start + milliseconds(9'999)), (CallCounts{.answered = 1, .failed = 1}));
  EXPECT_EQ(breaker.counts(start + seconds(10)), (CallCounts{.answered = 1, .failed = 0}));
  EXPECT_EQ(breaker.counts(start + seconds(14)), CallCounts{});
  EXPECT_EQ(breaker.counts(start + std::chrono::years(1)), CallCounts{});
}

TEST(Breaker, LetsOnePaymentThroughWhenItsTimeIsOver) {
  const std::vector<Event> opened{{seconds(0), 'u', closed, true},
                                  {seconds(0), 'u', closed, true},
                                  {seconds(0), 'u', open, false},
                                  {milliseconds(19'999), ' ', open, false},
                                  {seconds(20), ' ', half_open, true}};
  const auto then = [&](std::vector<Event> events) {
    events.insert(events.begin(), opened.begin(), opened.end());
    return events;
  };
  expect_events("an answer closes it, and it has forgotten", then({{seconds(20), 's', half_open, false},
                                                                   {seconds(21), 'a', closed, true},
                                                                   {seconds(21), 'u', closed, true},
                                                                   {seconds(21), 'u', closed, true},
                                                                   {seconds(21), 'u', open, false},
                                                                   {milliseconds(40'999), ' ', open, false},
                                                                   {seconds(41), ' ', half_open, true}}));
  expect_events("a failure opens it for twice as long, and no longer than the longest",
                then({{seconds(20), 's', half_open, false},
                      {seconds(20), 'n', open, false},
                      {milliseconds(59'999), ' ', open, false},
                      {seconds(60), 's', half_open, false},
                      {seconds(60), 'u', open, false},
                      {milliseconds(119'999), ' ', open, false},
                      {seconds(120), 's', half_open, false},
                      {seconds(120), 'u', open, false},
                      {milliseconds(179'999), ' ', open, false},
                      {seconds(180), 's', half_open, false},
                      {seconds(181), 'a', closed, true}}));
  expect_events("one that is never heard of holds others up for a while only",
                then({{seconds(20), 's', half_open, false},
                      {milliseconds(24'999), ' ', half_open, false},
                      {seconds(25), ' ', half_open, true},
                      {seconds(25), 's', half_open, false},
                      {seconds(26), 'a', closed, true}}));
}

TEST(Breaker, IsNotMovedWhileItIsOpen) {
  expect_events("answers and failures of what was sent before", {{seconds(0), 'u', closed, true},
                                                                 {seconds(0), 'u', closed, true},
                                                                 {seconds(0), 'u', open, false},
                                                                 {seconds(1), 'a', open, false},
                                                                 {seconds(2), 's', open, false},
                                                                 {seconds(3), 'u', open, false},
                                                                 {seconds(20), ' ', half_open, true}});
}

TEST(Breaker, DoesNotMindAClockThatIsPutBack) {
  expect_events("an hour", {{seconds(3'600), 'u', closed, true},
                            {seconds(0), 'u', closed, true},
                            {seconds(1), 'u', open, false},
                            {seconds(2), ' ', open, false},
                            {seconds(3'619), ' ', open, false},
                            {seconds(3'620), 's', half_open, false},
                            {seconds(0), 'a', closed, true}});
}

TEST(Breaker, SaysUntilWhenItIsOpen) {
  Breaker breaker(policy);
  EXPECT_EQ(breaker.open_until(start), std::nullopt);
  for (int i = 0; i < 3; ++i) breaker.heard(Heard::not_sent, start);
  EXPECT_EQ(breaker.open_until(start), start + seconds(20));
  EXPECT_EQ(breaker.open_until(start + seconds(20)), std::nullopt);
}

TEST(Breaker, TakesAnyAnswerForAnAnswer) {
  const auto usd = switchyard::testing::dollars(1);
  for (const payment::Answer& answer :
       std::vector<payment::Answer>{payment::Succeeded{"r", usd}, payment::Declined{}, payment::Rejected{},
                                    payment::Pending{}, payment::ActionRequired{}, payment::Contradicted{}}) {
    EXPECT_EQ(heard_of(answer), Heard::answered) << answer.index();
  }
  EXPECT_EQ(heard_of(payment::Answer(payment::NotSent{})), Heard::not_sent);
  const payment::Rejected no_key{.reason = "401", .is_of_account = true};
  EXPECT_EQ(heard_of(payment::Answer(no_key)), Heard::not_sent) << "nothing that is asked for goes there";
  EXPECT_EQ(heard_of(payment::Answer(payment::OutcomeUnknown{})), Heard::unknown);
  EXPECT_EQ(heard_of(payment::Found(payment::NoSuchOperation{})), Heard::answered);
  EXPECT_EQ(heard_of(payment::Found(payment::NotSent{})), Heard::not_sent);
  EXPECT_EQ(heard_of(payment::Found(payment::OutcomeUnknown{})), Heard::unknown);
}

}  // namespace
}  // namespace switchyard::routing
