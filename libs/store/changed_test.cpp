#include "store/changed.hpp"

#include <random>

#include <gmock/gmock.h>

#include "payment/request.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::store {
namespace {

using payment::Kind;
using payment::Phase;
using payment::State;
using payment::Step;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;

const payment::RetryPolicy few_tries{.sends_max = 3, .look_ups_max = 3};
const payment::OneAccount some_psp{
    "psp", [](const State&, const payment::Operation&) { return std::string("request"); }};

// A life at random: a merchant asks for operations while workers claim, and PSPs say whatever they may.
class RandomLife {
 public:
  explicit RandomLife(std::uint64_t seed) : random_(seed) {
    auto& transaction = state_.transaction;
    transaction.capture_method =
        one_of(2) == 0 ? payment::CaptureMethod::automatic : payment::CaptureMethod::manual;
    transaction.next_action_at = now_;
  }

  const State& state() const { return state_; }

  void ask() {
    const auto kind = std::array{Kind::capture, Kind::void_, Kind::refund}.at(one_of(3));
    payment::Request wanted;
    wanted.kind = kind;
    wanted.is_final = one_of(4) == 0;
    if (kind != Kind::void_) wanted.amount_minor = 1 + static_cast<std::int64_t>(one_of(20));
    if (state_.transaction.status == payment::Status::queued) return;
    if (auto asked = payment::request(state_, wanted, now_)) state_ = std::move(*asked);
  }

  // The claim, if anything is due, is the state that an answer changes.
  std::optional<Step> claim() {
    now_ += std::chrono::milliseconds(one_of(1'000));
    if (!state_.transaction.next_action_at) return std::nullopt;
    auto step = payment::claim(state_, some_psp, now_, few_tries);
    state_ = step.state;
    return step;
  }

  State answer(const Step& step) {
    now_ += std::chrono::milliseconds(one_of(3));
    const auto amount = step.operation().amount;
    if (step.action == payment::Action::look_up) {
      const std::vector<payment::Found> all{payment::Succeeded{"ref", amount},   payment::Declined{},
                                            payment::Pending{"ref", {}},         payment::NotSent{"refused"},
                                            payment::OutcomeUnknown{"time-out"}, payment::NoSuchOperation{}};
      return state_ = payment::found(step, all.at(one_of(all.size())), some_psp, now_, few_tries).state;
    }
    const std::vector<payment::Answer> all{payment::Succeeded{"ref", amount},
                                           payment::Succeeded{"ref", amount},
                                           payment::Declined{},
                                           payment::Rejected{"no"},
                                           payment::Pending{"ref", {}},
                                           payment::ActionRequired{},
                                           payment::NotSent{"refused"},
                                           payment::OutcomeUnknown{"time-out"},
                                           payment::Contradicted{"other", ""}};
    return state_ = payment::answered(step, all.at(one_of(all.size())), some_psp, now_, few_tries).state;
  }

  std::size_t one_of(std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_);
  }

 private:
  std::mt19937_64 random_;
  Timestamp now_{std::chrono::milliseconds(1'000)};
  State state_{{.id = {}, .merchant_id = {1}, .amount = Money(100, *Currency::parse("USD"))}, {}};
};

TEST(ChangedTest, WhatAnAnswerChangesIsAmongWhatIsWrittenOfIt) {
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    RandomLife life(seed);
    for (int i = 0; i < 40; ++i) {
      for (auto asks = life.one_of(3); asks > 0; --asks) life.ask();
      const auto step = life.claim();
      if (!step) continue;
      const auto after = life.answer(*step);
      ASSERT_THAT(operations_of_answer(after),
                  IsSupersetOf(changed_operations(step->state.operations, after)))
          << "seed " << seed << ", round " << i;
    }
  }
}

TEST(ChangedTest, WhatIsOverOrWaitsForItsTurnIsNotWrittenWithAnAnswer) {
  const Timestamp now(std::chrono::milliseconds(7));
  State state = RandomLife(1).state();
  state.transaction.updated_at = now;
  for (const auto phase :
       {Phase::succeeded, Phase::sent, Phase::requested, Phase::requested, Phase::succeeded}) {
    payment::Operation operation{.amount = state.transaction.amount};
    operation.phase = phase;
    operation.claims = phase == Phase::requested ? 0 : 1;
    state.operations.push_back(std::move(operation));
  }
  auto& operations = state.operations;
  operations[0].ended_at = now - std::chrono::milliseconds(1);
  operations[2].due_at = now;
  operations[4].ended_at = now;
  EXPECT_THAT(operations_of_answer(state), ElementsAre(&operations[1], &operations[2], &operations[4]));
}

}  // namespace
}  // namespace switchyard::store
