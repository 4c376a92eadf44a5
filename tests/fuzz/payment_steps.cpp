// A transaction on its way: workers who claim and answer and die, merchants who ask, persons who decide and
// PSPs that speak up by themselves, in any order. After each step what holds always does; nothing succeeds
// without somebody's word for it, and a request goes out as it was first written.
//
// The input is text: a line, and steps, one letter each with the letters that it takes (see Play).
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "fuzz/input.hpp"
#include "payment/notice.hpp"
#include "payment/request.hpp"
#include "payment/state_machine.hpp"
#include "payment/totals.hpp"

namespace switchyard::fuzz {
namespace {

using payment::Action;
using payment::Kind;
using payment::Notice;
using payment::Noticed;
using payment::Operation;
using payment::Phase;
using payment::State;
using payment::Step;

constexpr std::int64_t amount_minor = 1000;
constexpr std::int64_t part_minor = 400;
constexpr std::size_t steps_max = 100;
constexpr std::array<std::string_view, 2> account_names{"first", "second"};

Money dollars(std::int64_t minor) {
  return {minor, *Currency::parse("USD")};
}

class TwoAccounts final : public payment::Accounts {
 public:
  std::expected<std::string, payment::NoAccount> choose(const State& state, Timestamp) const override {
    for (const auto name : account_names) {
      if (!payment::was_asked(state, name)) return std::string(name);
    }
    return std::unexpected(payment::NoAccount{.reason = "both were asked"});
  }
  bool has(std::string_view account) const override { return account == "first" || !is_second_away; }
  std::expected<std::string, payment::Rejected> encode(const State& /*state*/,
                                                       const Operation& operation) const override {
    return fmt::format("{} {} to {}, {} written", payment::to_string(operation.kind),
                       operation.amount.minor(), operation.psp, ++written);
  }

  bool is_second_away = false;
  // No request is written twice.
  mutable int written = 0;
};

class Play {
 public:
  explicit Play(std::string_view how) : state_(payment::accepted(transaction_of(how))) {
    policy_.can_end = how.contains('e');
    if (how.contains('k')) policy_.key_held_for = std::chrono::hours(24);
    accounts_.is_second_away = how.contains('a');
    check_state(state_);
  }

  void run(std::string_view steps) {
    rest_ = steps;
    for (std::size_t i = 0; i < steps_max && !rest_.empty(); ++i) {
      step(next());
      check_state(state_);
    }
  }

 private:
  static payment::Transaction transaction_of(std::string_view how) {
    payment::Transaction transaction{.id = {*Uuid::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")},
                                     .merchant_id = {1},
                                     .amount = dollars(amount_minor)};
    using payment::CaptureMethod;
    transaction.capture_method = how.contains('m') ? CaptureMethod::manual : CaptureMethod::automatic;
    if (how.contains('p')) transaction.payment_method = R"({"simulator":"x"})";
    if (how.contains('r')) transaction.return_url = "https://shop.example/";
    transaction.created_at = transaction.updated_at = Timestamp(std::chrono::hours(1));
    transaction.next_action_at = transaction.created_at;
    return transaction;
  }

  char next() {
    if (rest_.empty()) return 0;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  // 0 to 9; anything else is one, too.
  std::size_t digit() { return static_cast<unsigned char>(next()) % 16 % 10; }

  void step(char what) {
    switch (what) {
      case 'c':
        return claim();
      case 'a':
        return answer(next());
      case 'd':  // the worker dies
        return claimed_.reset();
      case 'n':
        return hear(next());
      case 'k':
        return ask(next());
      case 'w':
        return wait(digit());
      case 'b':
        return ask_now();
      case 'r':
        return resolve(next());
      case 'q':
        return settle(next());
      default:
        return;
    }
  }

  // --- A worker --------------------------------------------------------------------------------

  void claim() {
    if (!state_.transaction.next_action_at) return;
    now_ = std::max(now_, *state_.transaction.next_action_at);
    const auto before = state_;
    auto step = payment::claim(std::move(state_), accounts_, now_, policy_);
    check_changed(before, step.state);
    state_ = step.state;
    if (step.action == Action::none) return claimed_.reset();
    note_action(step);
    claimed_ = Claimed{payment::claim_of(step), step.action};
  }

  void answer(char what) {
    if (!claimed_) return;
    const auto [claim, action] = *std::exchange(claimed_, std::nullopt);
    auto step = payment::caught_up(state_, claim);
    if (!step) return;
    now_ += std::chrono::milliseconds(1000);
    step->action = action;
    const auto found = found_of(what, step->operation());
    const auto before = step->state;
    auto after = action == Action::send
                     ? payment::answered(*step, answer_of(what, found), accounts_, now_, policy_)
                     : payment::found(*step, found, accounts_, now_, policy_);
    note_success(found, before, step->index);
    check_money(before, after.state);
    state_ = after.state;
    if (after.action == Action::none) return;
    SWITCHYARD_ASSERT(after.action != Action::look_up);
    note_action(after);
    claimed_ = Claimed{payment::claim_of(after), after.action};
  }

  // What is sent under a key is always the same.
  void note_action(const Step& step) {
    const auto& operation = step.operation();
    SWITCHYARD_ASSERT(!operation.psp.empty() && accounts_.has(operation.psp));
    SWITCHYARD_ASSERT(payment::is_open(operation.phase) && operation.phase != Phase::manual_review);
    if (step.action == Action::end) SWITCHYARD_ASSERT(policy_.can_end && operation.kind == Kind::authorize);
    if (step.action != Action::send) return;
    SWITCHYARD_ASSERT(!operation.request.empty() && operation.sent_at && operation.sends >= 1);
    const auto where = operation.psp + " " + operation.idempotency_key;
    const auto [known, is_new] = sent_.emplace(where, operation.request);
    // An authorization that provably did not arrive is written anew: its account was open again.
    const bool may_be_new = operation.kind == Kind::authorize && operation.phase == Phase::sent;
    SWITCHYARD_ASSERT(is_new || known->second == operation.request || may_be_new);
    known->second = operation.request;
  }

  static std::optional<Money> perhaps(const Operation& operation, bool is_said) {
    return is_said ? std::optional(operation.amount) : std::nullopt;
  }

  payment::Found found_of(char what, const Operation& operation) {
    const auto name = fmt::format("name-{}", ++names_);
    const auto declined = [&](payment::ReasonKind kind) {
      return payment::Declined{.reason = {.code = "05", .message = "no", .kind = kind},
                               .psp_reference = name,
                               .amount = perhaps(operation, names_ % 2 == 0)};
    };
    switch (what) {
      case 's':
        return payment::Succeeded{operation.psp_reference.empty() ? name : operation.psp_reference,
                                  operation.amount};
      case 'l':  // less than was asked for
        return payment::Succeeded{name, dollars(operation.amount.minor() - 1)};
      case 'x':
        return payment::Succeeded{"no name\n", operation.amount};
      case 'f':
        return declined(payment::ReasonKind::soft_decline);
      case 'h':
        return declined(payment::ReasonKind::hard_decline);
      case 'e': {
        auto over = declined(payment::ReasonKind::hard_decline);
        over.is_hold_over = true;
        return over;
      }
      case 'p':
        return payment::Pending{name, perhaps(operation, names_ % 2 == 0)};
      case 'r':
        return payment::ActionRequired{name, perhaps(operation, names_ % 2 == 0), "https://psp.example/3ds"};
      case 'n':
        return payment::NotSent{"refused"};
      case 'c':
        return payment::Contradicted{"of another", names_ % 2 == 0 ? name : ""};
      case '0':
        return payment::NoSuchOperation{};
      default:
        return payment::OutcomeUnknown{"reset"};
    }
  }

  static payment::Answer answer_of(char what, const payment::Found& found) {
    if (what == 'j') return payment::Rejected{"our fault"};
    return std::visit(
        []<class What>(const What& one) -> payment::Answer {
          if constexpr (std::is_same_v<What, payment::NoSuchOperation>) {
            return payment::OutcomeUnknown{"not done"};
          } else {
            return one;
          }
        },
        found);
  }

  // --- A PSP by itself -------------------------------------------------------------------------

  // Of an operation by our key, or by the PSP's name; of one that nobody knows.
  Notice notice_of(char how, std::size_t index, char what) {
    Notice notice{.event = "evt", .type = "it.happened"};
    const bool is_known = index < state_.operations.size();
    const Operation none{.amount = dollars(amount_minor)};
    const auto& operation = is_known ? state_.operations[index] : none;
    constexpr Kind kinds[] = {Kind::authorize, Kind::capture, Kind::void_, Kind::refund};
    if (how == 'k' || how == 'o') notice.idempotency_key = operation.idempotency_key;
    if (how == 'p' || how == 'o') notice.psp_reference = operation.psp_reference;
    if (how == 'p' || how == 'k') notice.kind = operation.kind;
    if (how == 'u') notice.psp_reference = "another";
    if (how == 'o' || how == 'u') notice.kind = kinds[digit() % 4];
    if (how == 'a') notice.payment = operation.psp_reference;
    switch (what) {
      case 'b':
        notice.what = payment::TakenBack{"it bounced", perhaps(operation, how != 'k')};
        break;
      case 'g':
        notice.what = payment::ChargedBack{"a dispute", operation.amount};
        break;
      case 't':
        notice.what = payment::Attention{"look at it"};
        break;
      case 'i':
        break;
      case 'n':
        notice.what = payment::CameToNothing{"it was cancelled"};
        break;
      case 'e':
        notice.what = payment::HoldExpired{"it has run out"};
        break;
      case 'm':
        notice.what = payment::AskAgain{};
        break;
      case 'a':
        notice.what = payment::Happened{};
        break;
      case 'd':
        notice.what = payment::TryFailed{"card_declined"};
        break;
      default:
        notice.what = event_of(found_of(what, operation));
    }
    return notice;
  }

  static Notice::What event_of(const payment::Found& found) {
    if (const auto* succeeded = std::get_if<payment::Succeeded>(&found)) return *succeeded;
    if (const auto* declined = std::get_if<payment::Declined>(&found)) return *declined;
    return payment::AskAgain{};
  }

  void hear(char how) {
    const auto index = digit();
    const auto account = account_names[how >= 'A' && how <= 'Z' ? 1 : 0];
    const char by = how >= 'A' && how <= 'Z' ? static_cast<char>(how - 'A' + 'a') : how;
    const auto notice = notice_of(by, index, next());
    for (int times = 1; times <= 3; ++times) {
      const auto before = state_;
      auto noticed = payment::notified(state_, account, notice, accounts_, now_, policy_);
      if (noticed.how != Noticed::How::changed) {
        SWITCHYARD_ASSERT(noticed.state.operations == before.operations &&
                          noticed.state.transaction.version == before.transaction.version);
        return;
      }
      check_changed(before, noticed.state);
      note_success_heard(notice, before, noticed.index);
      check_money(before, noticed.state);
      state_ = std::move(noticed.state);
      check_state(state_);
      if (may_be_said_again(notice)) return;
      // Once it is told, and once it is held against what came of that: then nothing is new.
      SWITCHYARD_ASSERT(times < 3);
    }
  }

  static bool may_be_said_again(const Notice& notice) {
    return std::holds_alternative<payment::AskAgain>(notice.what) ||
           std::holds_alternative<payment::Happened>(notice.what) ||
           std::holds_alternative<payment::TryFailed>(notice.what) ||
           std::holds_alternative<payment::CameToNothing>(notice.what) ||
           std::holds_alternative<payment::ChargedBack>(notice.what);
  }

  // --- Merchants and persons -------------------------------------------------------------------

  void ask(char what) {
    payment::Request wanted;
    wanted.kind = what == 'v'                                 ? Kind::void_
                  : what == 'c' || what == 'C' || what == 'o' ? Kind::capture
                                                              : Kind::refund;
    if (what == 'c' || what == 'o' || what == 'r') wanted.amount_minor = part_minor;
    wanted.is_final = what != 'o';
    auto asked = payment::request(state_, wanted, now_);
    if (asked) state_ = std::move(*asked);
  }

  void ask_now() {
    if (auto asked = payment::ask_now(state_, now_, R"({"a":"b"})")) state_ = std::move(*asked);
  }

  void wait(std::size_t power) {
    auto time = std::chrono::milliseconds(1);
    for (std::size_t i = 0; i < power; ++i) time *= 10;
    now_ += time;
  }

  void resolve(char what) {
    const auto index = digit();
    const auto number = static_cast<std::int32_t>(index) + 1;
    const bool has_succeeded = what == 's' || what == 'n';
    auto resolved = payment::resolve(
        state_, number,
        {.succeeded = has_succeeded, .psp_reference = what == 'n' ? "by-hand" : "", .note = "looked into"},
        now_);
    if (!resolved) return;
    if (has_succeeded) succeeded_.insert(index);
    state_ = std::move(*resolved);
  }

  void settle(char what) {
    const payment::Elsewhere outcome = what == 's' ? payment::Elsewhere(payment::ChargedElsewhere{})
                                       : what == 'f'
                                           ? payment::Elsewhere(payment::FailedElsewhere{"no"})
                                           : payment::Elsewhere(payment::UnknownElsewhere{"nobody knows"});
    if (!payment::may_settle(state_, "rq", outcome)) return;
    state_ = payment::settle(std::move(state_), "rq", outcome, now_);
    if (what == 's') succeeded_.insert(state_.operations.size() - 1);
  }

  // --- What holds ------------------------------------------------------------------------------

  void note_success(const payment::Found& found, const State& before, std::size_t index) {
    const auto* succeeded = std::get_if<payment::Succeeded>(&found);
    const bool is_whole = succeeded != nullptr && succeeded->amount == before.operations[index].amount &&
                          payment::is_psp_name(succeeded->psp_reference);
    if (is_whole) succeeded_.insert(index);
  }

  void note_success_heard(const Notice& notice, const State& before, std::size_t index) {
    const auto* succeeded = std::get_if<payment::Succeeded>(&notice.what);
    if (succeeded != nullptr) note_success(*succeeded, before, index);
  }

  static void check_changed(const State& before, const State& after) {
    SWITCHYARD_ASSERT(after.transaction.version == before.transaction.version + 1);
  }

  // What one word of a PSP moves is one operation's amount.
  static void check_money(const State& before, const State& after) {
    const auto moved = [](std::int64_t from, std::int64_t to) { return to > from ? to - from : from - to; };
    const auto captured = moved(before.transaction.captured_minor, after.transaction.captured_minor);
    const auto refunded = moved(before.transaction.refunded_minor, after.transaction.refunded_minor);
    SWITCHYARD_ASSERT(captured == 0 || captured == amount_minor || captured == part_minor ||
                      captured == amount_minor - part_minor || captured == amount_minor - 2 * part_minor);
    SWITCHYARD_ASSERT(captured == 0 || refunded == 0);
  }

  void check_state(const State& state) const {
    payment::assert_invariants(state);
    std::int64_t refunded = 0;
    for (std::size_t i = 0; i < state.operations.size(); ++i) {
      const auto& operation = state.operations[i];
      const bool has_succeeded = operation.phase == Phase::succeeded;
      SWITCHYARD_ASSERT(!has_succeeded ||
                        (succeeded_.contains(i) && operation.ended_at && !operation.taken_back));
      const auto& name = operation.psp_reference;
      SWITCHYARD_ASSERT(name.empty() || payment::is_psp_name(name));
      const bool is_over = !payment::is_open(operation.phase) || operation.phase == Phase::manual_review;
      if (is_over) SWITCHYARD_ASSERT(!operation.due_at && operation.action_url.empty());
      // What a person looks at is booked until it is taken back.
      const bool is_booked = has_succeeded || (operation.phase == Phase::manual_review &&
                                               operation.ended_at && !operation.taken_back);
      if (is_booked && operation.kind == Kind::refund) refunded += operation.amount.minor();
    }
    SWITCHYARD_ASSERT(refunded == state.transaction.refunded_minor);
    SWITCHYARD_ASSERT(payment::left_to_refund(state) >= 0 && payment::left_to_capture(state) >= 0);
  }

  struct Claimed {
    payment::Claim claim;
    Action action = Action::none;
  };

  TwoAccounts accounts_;
  payment::RetryPolicy policy_;
  State state_;
  Timestamp now_{std::chrono::hours(1)};
  std::optional<Claimed> claimed_;
  // By account and key.
  std::map<std::string, std::string> sent_;
  // Of which somebody said so who may: by place.
  std::set<std::size_t> succeeded_;
  int names_ = 0;
  std::string_view rest_;
};

}  // namespace

void check(Input input) {
  Play play(input.line());
  play.run(input.rest());
}

}  // namespace switchyard::fuzz
