#include "payment/notice.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "money/printable.hpp"

namespace switchyard::payment {
namespace {

using How = Noticed::How;

// What the event says moved, where it is not the operation that it names. A payment that is captured
// automatically has no capture of its own.
bool is_own_capture(const State& state, const Operation& operation, const Notice& notice) {
  return notice.kind == Kind::capture && operation.kind == Kind::authorize &&
         state.transaction.capture_method == CaptureMethod::automatic;
}

bool is_end_of_authorization(const Operation& operation, const Notice& notice) {
  return notice.kind == Kind::void_ && operation.kind == Kind::authorize;
}

class Hearing {
 public:
  Hearing(State state, std::string_view psp, const Notice& notice, const Accounts& accounts, Timestamp now,
          const RetryPolicy& policy)
      : state_(std::move(state)),
        psp_(psp),
        notice_(notice),
        accounts_(accounts),
        now_(now),
        policy_(policy) {}

  Noticed operator()(const Succeeded& succeeded) {
    const auto about = find_operation();
    if (!about) return is_unasked() ? tell_of_payment(unasked()) : unchanged(How::too_early);
    const auto& operation = state_.operations[*about];
    if (is_own_capture(state_, operation, notice_)) return unchanged(early_if_open(operation));
    if (is_end_of_authorization(operation, notice_)) return hear_of_the_end(*about);
    if (is_of_another_kind(operation)) return tell(*about, unasked());
    const auto words =
        fmt::format("{} says that it succeeded, with {}", said(), succeeded.amount.to_string());
    if (is_another(operation)) return contradict(*about, words + named());
    if (may_be_answered(operation)) return answer_if_asked(*about, succeeded, succeeded.amount, words);
    if (operation.phase == Phase::requested) return unchanged(How::too_early);
    const bool is_known = has_succeeded(operation) && succeeded.amount == operation.amount;
    return is_known ? unchanged(How::nothing_new) : tell(*about, words);
  }

  Noticed operator()(const Declined& declined) {
    const auto about = find_operation();
    if (!about) return unchanged(How::too_early);
    const auto& operation = state_.operations[*about];
    const auto words = fmt::format("{} says that it was refused: {}", said(), declined.reason.text());
    if (is_own_capture(state_, operation, notice_)) return take_back_now(*about, words, declined.amount);
    if (is_end_of_authorization(operation, notice_)) {
      return may_be_answered(operation) ? answer(*about, Contradicted{words, {}})
                                        : unchanged(How::nothing_new);
    }
    if (is_of_another_kind(operation)) return unchanged(How::nothing_new);
    if (may_be_answered(operation)) return answer_if_asked(*about, declined, declined.amount, words);
    if (operation.phase == Phase::requested) return unchanged(How::too_early);
    return has_come_to_nothing(operation.phase) ? unchanged(How::nothing_new) : tell(*about, words);
  }

  Noticed operator()(const AskAgain&) {
    const auto about = find_operation();
    if (!about) return ask_all_or_tell();
    const auto& operation = state_.operations[*about];
    const bool is_second =
        has_succeeded(operation) && !is_of_another_kind(operation) && has_another_name(operation);
    if (is_second) return tell(*about, unasked() + named());
    return ask_for(*about);
  }

  Noticed operator()(const Happened&) {
    const auto about = find_operation();
    if (!about && notice_.kind == Kind::authorize) return tell_of_a_second_payment();
    const bool is_news = about && !is_of_another_kind(state_.operations[*about]) &&
                         has_come_to_nothing(state_.operations[*about].phase);
    return is_news ? tell(*about, said() + " speaks of money that moved" + named()) : (*this)(AskAgain{});
  }

  Noticed operator()(const TryFailed& failed) {
    const auto payment = find_payment();
    const auto about = payment ? payment : find_operation();
    if (!about) return ask_all_or_tell();
    const auto& operation = state_.operations[*about];
    const bool is_told = has_succeeded(operation) || operation.phase == Phase::manual_review;
    return is_told ? tell(*about, fmt::format("{}: {}", said(), failed.reason)) : ask_for(*about);
  }

  Noticed operator()(const CameToNothing& nothing) {
    const auto payment = find_payment();
    const auto about = payment ? payment : find_operation();
    if (!about || is_any_under_way_but_refunds()) {
      auto asked = ask_now(state_, now_);
      return asked ? Noticed{How::changed, std::move(*asked), about.value_or(0)} : unchanged(How::too_early);
    }
    const auto& totals = state_.transaction;
    const bool has_money = totals.held_minor > 0 || totals.captured_minor > 0;
    const auto words = fmt::format("{}: {}", said(), nothing.reason);
    if (!has_money && may_have_succeeded(state_.operations[*about])) return tell(*about, words);
    if (!has_money || has_come_to_nothing(state_.operations[*about].phase))
      return unchanged(How::nothing_new);
    if (totals.captured_minor == 0) return end_hold_of(*about, words);
    const auto capture = find_last([](const Operation& one) {
      return one.kind == Kind::capture && has_succeeded(one) && !one.taken_back;
    });
    return take_back_now(capture.value_or(*about), words, {});
  }

  Noticed operator()(const TakenBack& taken) {
    const auto words = fmt::format("{}: {}", said(), taken.reason);
    const auto about = find_operation();
    if (!about) return tell_of_payment(words);
    const auto& operation = state_.operations[*about];
    // A capture that the payment made by itself has a name that was never learned.
    const bool is_own = is_own_capture(state_, operation, notice_);
    const bool is_this = is_own || (!is_of_another_kind(operation) && !has_another_name(operation));
    if (!is_this || is_of_another_payment()) return tell(*about, words + named());
    return take_back_now(*about, words, taken.amount);
  }

  // Which operation it takes back depends on what was taken back before: it is known by its words.
  Noticed operator()(const ChargedBack& charged) {
    const auto name = notice_.psp_reference.empty() ? std::string() : " " + notice_.psp_reference;
    const auto words = fmt::format("{}{}: {}", said(), name, charged.reason);
    if (is_known(words)) return unchanged(How::nothing_new);
    const auto about = charged.amount ? find_taken(*charged.amount) : std::nullopt;
    const bool is_early = !about && charged.amount && is_any_under_way(Kind::capture, charged.amount);
    if (is_early) return unchanged(How::too_early);
    return about ? take_back_now(*about, words, charged.amount) : tell_of_payment(words);
  }

  Noticed operator()(const Attention& attention) {
    const auto words = fmt::format("{}: {}", said(), attention.reason);
    const auto about = find_operation();
    return about ? tell(*about, words) : tell_of_payment(words);
  }

  Noticed operator()(const HoldExpired& expired) {
    const bool is_held = state_.transaction.held_minor > 0;
    const auto payment = find_payment();
    if (!payment) return unchanged(How::too_early);
    if (is_any_under_way(Kind::capture) || is_any_under_way(Kind::void_)) return unchanged(How::too_early);
    // A person may yet find that the hold was never given back.
    const bool is_in_doubt = find_last([](const Operation& one) {
                               return one.kind == Kind::void_ && one.phase == Phase::manual_review;
                             }).has_value();
    if (is_in_doubt) return unchanged(How::too_early);
    if (!is_held)
      return unchanged(may_have_succeeded(state_.operations[*payment]) ? How::too_early : How::nothing_new);
    if (has_come_to_nothing(state_.operations[*payment].phase)) return unchanged(How::nothing_new);
    return end_hold_of(*payment, fmt::format("{}: {}", said(), expired.reason));
  }

  Noticed operator()(const Ignored&) { return unchanged(How::nothing_new); }

 private:
  std::string said() const { return fmt::format("{} {}", psp_, notice_.type); }

  // By which names it speaks of it.
  std::string named() const {
    return fmt::format(" ({}{}{})", notice_.psp_reference, notice_.idempotency_key.empty() ? "" : ", of ",
                       notice_.idempotency_key);
  }

  // Somebody has done it at the PSP.
  std::string unasked() const { return fmt::format("{} speaks of what was not asked for here", said()); }

  bool is_of_another_kind(const Operation& operation) const {
    return notice_.kind && *notice_.kind != operation.kind;
  }

  // The PSP's name for the operation is known, and is not the event's. Of what waits for its customer it may
  // change.
  bool has_another_name(const Operation& operation) const {
    return operation.phase != Phase::action_required && !operation.psp_reference.empty() &&
           !notice_.psp_reference.empty() && operation.psp_reference != notice_.psp_reference;
  }

  bool is_another(const Operation& operation) const {
    return has_another_name(operation) ||
           (!notice_.idempotency_key.empty() && operation.idempotency_key != notice_.idempotency_key);
  }

  bool is_of_another_payment() const {
    const auto* payment = find_authorization(state_);
    return payment != nullptr && !payment->psp_reference.empty() && !notice_.payment.empty() &&
           payment->psp_reference != notice_.payment;
  }

  // Of what is not found: a capture, void or refund by a name of its own.
  bool names_a_later_one() const {
    return notice_.kind && notice_.kind != Kind::authorize && !notice_.psp_reference.empty();
  }

  // Such a one that is none of ours, while none of ours is open that it may be: whose name is yet to be
  // learned.
  bool is_unasked() const {
    if (!names_a_later_one()) return false;
    return std::ranges::none_of(state_.operations, [&](const Operation& one) {
      return one.kind == *notice_.kind && is_open(one.phase) && one.psp_reference.empty();
    });
  }

  bool is_at_psp(const Operation& operation) const { return operation.psp == psp_; }

  // Our key is one operation's, whatever else the event names. The PSP's name may be that of several.
  std::optional<std::size_t> find_operation() const {
    if (!notice_.idempotency_key.empty()) {
      const auto by_key =
          find_last([&](const Operation& one) { return one.idempotency_key == notice_.idempotency_key; });
      if (by_key) return by_key;
    }
    if (notice_.psp_reference.empty() || !notice_.kind) return std::nullopt;
    return find_last([&](const Operation& one) {
      return one.kind == *notice_.kind && one.psp_reference == notice_.psp_reference;
    });
  }

  std::optional<std::size_t> find_payment() const {
    return find_last([&](const Operation& one) {
      return one.kind == Kind::authorize && (notice_.payment.empty() || one.psp_reference == notice_.payment);
    });
  }

  // What took exactly so much: one that is not taken back yet, if there is one.
  std::optional<std::size_t> find_taken(const Money& amount) const {
    const bool is_automatic = state_.transaction.capture_method == CaptureMethod::automatic;
    const auto took_it = [&](const Operation& one) {
      return one.kind == (is_automatic ? Kind::authorize : Kind::capture) && one.amount == amount &&
             has_succeeded(one);
    };
    const auto found = find_last([&](const Operation& one) { return took_it(one) && !one.taken_back; });
    return found ? found : find_last(took_it);
  }

  // Whether a person was told that.
  bool is_known(std::string_view words) const {
    const auto text = printable(words);
    return std::ranges::any_of(state_.operations,
                               [&text](const Operation& one) { return one.reason.message.contains(text); });
  }

  template <class IsIt>
  std::optional<std::size_t> find_last(IsIt&& is_it) const {
    for (auto index = state_.operations.size(); index-- > 0;) {
      const auto& operation = state_.operations[index];
      if (is_at_psp(operation) && is_it(operation)) return index;
    }
    return std::nullopt;
  }

  // Of what nobody knows anything of yet, the PSP's name for it is learned with that.
  Noticed ask_for(std::size_t index) {
    const auto& operation = state_.operations[index];
    if (operation.phase == Phase::sent) return unchanged(How::too_early);
    const bool is_named = operation.psp_reference.empty() && !is_of_another_kind(operation) &&
                          operation.idempotency_key == notice_.idempotency_key;
    auto asked = ask_now_for(state_, index, is_named ? notice_.psp_reference : std::string(), now_);
    return asked ? Noticed{How::changed, std::move(*asked), index} : unchanged(How::nothing_new);
  }

  Noticed ask_all_or_tell() {
    if (is_unasked()) return tell_of_payment(unasked());
    if (names_a_later_one()) return unchanged(How::too_early);
    auto asked = ask_now(state_, now_);
    return asked ? Noticed{How::changed, std::move(*asked), 0} : unchanged(How::nothing_new);
  }

  static bool may_be_answered(const Operation& operation) {
    return is_under_way(operation.phase) && operation.phase != Phase::requested;
  }

  bool is_any_under_way(Kind kind, const std::optional<Money>& amount = {}) const {
    return std::ranges::any_of(state_.operations, [&](const Operation& one) {
      return one.kind == kind && (!amount || one.amount == *amount) && is_under_way(one.phase);
    });
  }

  bool is_any_under_way_but_refunds() const {
    return std::ranges::any_of(state_.operations, [](const Operation& one) {
      return one.kind != Kind::refund && is_under_way(one.phase);
    });
  }

  // Whatever was said of it since, which a person looks at.
  static bool has_succeeded(const Operation& operation) {
    return operation.phase == Phase::succeeded ||
           (operation.phase == Phase::manual_review && operation.ended_at);
  }

  // Also where a person has yet to find out whether it did.
  static bool may_have_succeeded(const Operation& operation) {
    return is_open(operation.phase) && !operation.ended_at;
  }

  static How early_if_open(const Operation& operation) {
    return is_under_way(operation.phase) ? How::too_early : How::nothing_new;
  }

  Noticed unchanged(How how) { return {how, std::move(state_), 0}; }

  Noticed answer(std::size_t index, const Found& what) {
    ++state_.transaction.version;
    auto step = found({std::move(state_), Action::none, index}, what, accounts_, now_, policy_);
    return {How::changed, std::move(step.state), index};
  }

  // What speaks of another amount than was asked is for a person, in the words that they would hear later,
  // too: said again, it is nothing new.
  template <class What>
  Noticed answer_if_asked(std::size_t index, const What& what, const std::optional<Money>& amount,
                          const std::string& words) {
    const auto& asked = state_.operations[index].amount;
    if (!amount || *amount == asked) return answer(index, what);
    return answer(index, Contradicted{fmt::format("{}, where {} was asked for", words, asked.to_string()),
                                      what.psp_reference});
  }

  // Whatever it speaks of is not what was asked for.
  Noticed contradict(std::size_t index, const std::string& words) {
    const auto& operation = state_.operations[index];
    if (may_be_answered(operation)) return answer(index, Contradicted{words, {}});
    return operation.phase == Phase::requested ? unchanged(How::too_early) : tell(index, words);
  }

  // The PSP has ended a payment that waited. One that was taken before stays as it is known.
  Noticed hear_of_the_end(std::size_t index) {
    const auto& operation = state_.operations[index];
    const auto phase = operation.phase;
    if (waits_for_psp(phase) || phase == Phase::unknown) {
      const bool is_customers = phase == Phase::action_required;
      const Reason why = is_customers ? Reason{"authentication_required", "the customer did not act in time",
                                               ReasonKind::customer_action}
                                      : Reason{"cancelled", "the PSP has cancelled it", ReasonKind::unknown};
      return answer(index, Declined{why, operation.psp_reference, {}});
    }
    const auto words = fmt::format("{} says that the payment was cancelled", said());
    if (may_be_answered(operation)) return answer(index, Contradicted{words, {}});
    if (operation.phase == Phase::requested) return unchanged(How::too_early);
    const bool has_money = operation.phase == Phase::succeeded || operation.phase == Phase::manual_review;
    return has_money ? tell(index, words) : unchanged(How::nothing_new);
  }

  // All of it, or what is left is a person's to find out.
  Noticed take_back_now(std::size_t index, const std::string& words, const std::optional<Money>& amount) {
    const auto& operation = state_.operations[index];
    const bool is_whole = !amount || *amount == operation.amount;
    const bool is_by_a_person = !operation.resolution.empty();
    if (!is_whole || is_by_a_person || operation.taken_back) return tell(index, words);
    const auto number = operation.number;
    const auto how = early_if_open(operation);
    return compared(take_back(state_, number, words, now_), index, how);
  }

  Noticed end_hold_of(std::size_t payment, const std::string& words) {
    return {How::changed, end_hold(std::move(state_), words, now_), payment};
  }

  // One of our transaction that neither has our key nor a name that is known.
  Noticed tell_of_a_second_payment() {
    const auto ours = find_last([](const Operation& one) { return one.kind == Kind::authorize; });
    if (!ours || is_under_way(state_.operations[*ours].phase)) return unchanged(How::too_early);
    return tell(*ours, unasked() + named());
  }

  Noticed tell_of_payment(const std::string& words) {
    const auto payment = find_payment();
    return payment ? tell(*payment, words) : unchanged(How::too_early);
  }

  Noticed tell(std::size_t index, const std::string& words) {
    const auto& operation = state_.operations[index];
    if (has_come_to_nothing(operation.phase) && !says_that_money_moved()) return unchanged(How::nothing_new);
    const auto number = operation.number;
    const auto how = early_if_open(operation);
    return compared(give_to_a_person(state_, number, words, now_), index, how);
  }

  bool says_that_money_moved() const {
    return std::holds_alternative<Succeeded>(notice_.what) ||
           std::holds_alternative<Happened>(notice_.what) ||
           std::holds_alternative<ChargedBack>(notice_.what);
  }

  // `otherwise`: what it is if nothing has changed.
  Noticed compared(State after, std::size_t index, How otherwise) const {
    const bool is_changed = after.transaction.version != state_.transaction.version;
    return {is_changed ? How::changed : otherwise, std::move(after), index};
  }

  State state_;
  std::string_view psp_;
  const Notice& notice_;
  const Accounts& accounts_;
  Timestamp now_;
  const RetryPolicy& policy_;
};

}  // namespace

Noticed notified(State state, std::string_view psp, const Notice& notice, const Accounts& accounts,
                 Timestamp now, const RetryPolicy& policy) {
  Hearing hearing(std::move(state), psp, notice, accounts, now, policy);
  return std::visit(hearing, notice.what);
}

}  // namespace switchyard::payment
