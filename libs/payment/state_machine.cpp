#include "payment/state_machine.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "money/printable.hpp"
#include "payment/psp_keys.hpp"
#include "payment/totals.hpp"

namespace switchyard::payment {
namespace {

using std::chrono::milliseconds;

// What a person is told of one operation by one event after another.
constexpr std::size_t reasons_bytes_max = 1'000;

milliseconds doubled(milliseconds first, std::int32_t times, milliseconds longest) {
  auto delay = first;
  for (std::int32_t i = 0; i < times && delay < longest; ++i) delay *= 2;
  return std::min(delay, longest);
}

Reason printable_reason(const Reason& reason) {
  return {printable(reason.code), printable(reason.message), reason.kind};
}

Reason reason_of(std::string_view message, ReasonKind kind) {
  return {{}, printable(message), kind};
}

Operation authorization_of(const Transaction& transaction, std::int32_t number, Timestamp now) {
  Operation operation{.amount = transaction.amount};
  operation.number = number;
  operation.idempotency_key = numbered_key(transaction, number);
  operation.requested_at = transaction.created_at;
  operation.due_at = now;
  return operation;
}

// The first that is due. Of a queued transaction, the authorization that it stands for.
std::size_t choose_due(State& state, Timestamp now) {
  if (state.operations.empty()) {
    state.operations.push_back(authorization_of(state.transaction, ++state.transaction.operation_count, now));
  }
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < state.operations.size(); ++i) {
    const auto& due = state.operations[i].due_at;
    if (due && (!first || *due < *state.operations[*first].due_at)) first = i;
  }
  SWITCHYARD_ASSERT(first.has_value());
  return *first;
}

// What one event makes of one operation; the caller brings the rest of the state up to date.
class Machine {
 public:
  // `before`: the action that the event is about.
  Machine(State& state, std::size_t index, Timestamp now, const RetryPolicy& policy,
          Action before = Action::none)
      : transaction_(state.transaction),
        operation_(state.operations.at(index)),
        now_(now),
        policy_(policy),
        did_end_(before == Action::end) {}

  Action action() const { return action_; }

  void claim(const State& state, const Accounts& accounts) {
    ++operation_.claims;
    operation_.due_at = now_ + policy_.lease;
    if (operation_.psp.empty()) {
      auto account = accounts.choose(state, now_);
      if (!account) return leave_to_nobody(account.error());
      operation_.psp = std::move(*account);
    }
    if (operation_.phase == Phase::requested && !can_be_named(state)) {
      return reject(fmt::format("what {} calls the charge is not known", operation_.psp));
    }
    if (!accounts.has(operation_.psp)) return leave_to_its_psp("which is not configured here");
    if (!accounts.has_room(operation_.psp))
      return leave_to_its_psp("which has as many calls under way as it may");
    if (operation_.phase == Phase::requested) {
      if (const auto refused = write(accounts, state)) return reject(refused->reason);
      operation_.phase = Phase::sent;
      return send();
    }
    // Whoever claimed it before died or was too slow: the PSP may have been called.
    if (operation_.phase == Phase::sent) operation_.phase = Phase::unknown;
    action_ = Action::look_up;
  }

  void operator()(const Succeeded& succeeded) {
    if (cannot_be_named(succeeded.psp_reference)) return;
    if (contradicts(succeeded.amount, succeeded.psp_reference)) return;
    note_reference(succeeded.psp_reference);
    end(Phase::succeeded, {});
    book(transaction_, operation_);
  }

  void operator()(const Declined& declined) {
    if (contradicts(declined.amount, declined.psp_reference)) return;
    note_reference(declined.psp_reference);
    end(Phase::declined, printable_reason(declined.reason));
    if (declined.is_hold_over && operation_.kind == Kind::capture) release(transaction_);
  }

  void operator()(const Rejected& rejected) {
    // This send was refused, but an earlier one of the same operation may have arrived.
    if (operation_.phase != Phase::sent) return (*this)(OutcomeUnknown{rejected.reason});
    reject(rejected.reason);
  }

  void operator()(const Pending& pending) { wait(Phase::pending, pending.psp_reference, pending.amount); }
  void operator()(const ActionRequired& required) {
    wait(Phase::action_required, required.psp_reference, required.amount);
    if (operation_.phase != Phase::action_required) return;
    if (is_web_address(required.url)) operation_.action_url = required.url;
    end_if_overdue();
  }

  void operator()(const NotSent& not_sent) {
    if (operation_.phase != Phase::sent) return (*this)(OutcomeUnknown{not_sent.reason});
    try_again_later(not_sent.reason);
  }

  void operator()(const OutcomeUnknown& unknown) {
    if (waits_for_psp(operation_.phase)) return wait_on(unknown);
    operation_.reason = reason_of(unknown.reason, ReasonKind::unknown);
    operation_.phase = Phase::unknown;
    if (operation_.look_ups >= policy_.look_ups_max) return end_or_ask_a_person();
    look_up_later();
  }

  // What became of the money is what the person finds out.
  void operator()(const Contradicted& contradicted) {
    note_reference(contradicted.psp_reference);
    operation_.reason = reason_of(contradicted.reason, ReasonKind::unknown);
    ask_a_person();
  }

  void operator()(const NoSuchOperation&) {
    if (operation_.phase != Phase::unknown) {
      return (*this)(Contradicted{"the PSP took it before, and now knows nothing of it", {}});
    }
    if (operation_.request.empty()) {
      // Another version of this program sent it, and did not write down what.
      return (*this)(Contradicted{"the request would not be identical to the one that was sent", {}});
    }
    const auto key = hold_of_key(operation_, policy_.key_held_for, now_);
    if (key == KeyHold::unclear)
      return (*this)(OutcomeUnknown{"by this machine's clock it is yet to be sent"});
    if (key == KeyHold::ended) {
      return (*this)(Contradicted{"the PSP knows nothing of it, and does not keep a key for so long", {}});
    }
    // The identical request under the identical key: if the first one arrives after all, the PSP does it
    // once.
    send();
  }

  void end(Phase phase, Reason reason) {
    operation_.phase = phase;
    forget_action();
    operation_.reason = std::move(reason);
    operation_.due_at.reset();
    operation_.ended_at = now_;
  }

  // It is not over: whoever ends it says when.
  void ask_a_person() {
    operation_.phase = Phase::manual_review;
    forget_action();
    operation_.due_at.reset();
    operation_.ended_at.reset();
  }

 private:
  void forget_action() {
    operation_.action_url.clear();
    operation_.brought_back.clear();
  }

  // The request, once. Or why it cannot be.
  std::optional<Rejected> write(const Accounts& accounts, const State& state) {
    if (!operation_.request.empty()) return std::nullopt;
    auto written = accounts.encode(state, operation_);
    if (!written) return std::move(written.error());
    SWITCHYARD_ASSERT(!written->empty());
    operation_.request = std::move(*written);
    return std::nullopt;
  }

  void reject(std::string_view reason) { end(Phase::rejected, reason_of(reason, ReasonKind::configuration)); }

  void send() {
    ++operation_.sends;
    if (!operation_.sent_at) operation_.sent_at = now_;
    action_ = Action::send;
  }

  // A charge of a worker that is not ours has no name that a PSP knows.
  bool can_be_named(const State& state) const {
    return operation_.kind == Kind::authorize || !find_authorization(state)->psp_reference.empty();
  }

  void leave_to_nobody(const NoAccount& none) {
    if (!none.may_pass) return reject(none.reason);
    wait_unsent(reason_of(none.reason, ReasonKind::configuration), policy_.no_account_max);
  }

  // No other PSP is asked, and it waits for a worker that can call its own; but what was never written for
  // one may go to another the next time.
  void leave_to_its_psp(std::string_view why) {
    if (operation_.phase == Phase::sent) operation_.phase = Phase::unknown;
    const auto may_go_elsewhere = [this] {
      return operation_.kind == Kind::authorize && operation_.phase == Phase::requested &&
             operation_.request.empty();
    };
    const auto reason =
        fmt::format("it {} {}, {}", may_go_elsewhere() ? "would go to" : "belongs to", operation_.psp, why);
    wait_unsent(reason_of(reason, ReasonKind::configuration), policy_.elsewhere_max);
    if (may_go_elsewhere()) operation_.psp.clear();
  }

  // Nothing is sent to anybody, so this uses up no send and no look-up.
  void wait_unsent(Reason reason, milliseconds longest) {
    // However long every worker stood still, its own has a chance to come first.
    const auto waited = now_ - operation_.sent_at.value_or(operation_.requested_at);
    const bool is_given_up = waited > longest && operation_.claims > policy_.look_ups_max;
    if (is_given_up && operation_.phase == Phase::requested) return end(Phase::failed, std::move(reason));
    operation_.reason = std::move(reason);
    if (is_given_up) return ask_a_person();
    operation_.due_at =
        now_ + doubled(policy_.look_up_delay, operation_.claims - 1, policy_.elsewhere_delay_max);
  }

  void try_again_later(std::string_view reason) {
    operation_.phase = Phase::requested;
    if (operation_.sends >= policy_.sends_max)
      return end(Phase::failed, reason_of(reason, ReasonKind::unknown));
    operation_.reason = reason_of(reason, ReasonKind::unknown);
    // It is yet to be sent for the first time: the PSP has no key to forget, and is not late.
    operation_.sent_at.reset();
    operation_.due_at = now_ + doubled(policy_.retry_delay, operation_.sends - 1, milliseconds::max() / 2);
    if (operation_.kind != Kind::authorize) return;
    // No PSP knows of it: the next try may go to another one.
    operation_.psp.clear();
    operation_.request.clear();
  }

  void look_up_later() {
    operation_.due_at = now_ + doubled(policy_.look_up_delay, operation_.look_ups, policy_.look_up_delay_max);
    ++operation_.look_ups;
  }

  void wait(Phase phase, std::string_view psp_reference, const std::optional<Money>& amount) {
    if (cannot_be_named(psp_reference) || contradicts(amount, psp_reference)) return;
    note_reference(psp_reference);
    if (operation_.phase != phase) {
      forget_action();
      // Asked for from the beginning again, however often it was while it was unknown.
      operation_.look_ups = 0;
      operation_.phase = phase;
    }
    operation_.reason = {};
    if (is_late()) {
      operation_.reason = reason_of("the PSP has not said what came of it", ReasonKind::unknown);
      return ask_a_person();
    }
    look_up_later();
  }

  // What a PSP that cannot be asked does not say is no trouble, and was not asked for.
  void wait_on(const OutcomeUnknown& unknown) {
    if (is_late()) {
      operation_.reason = reason_of(unknown.reason, ReasonKind::unknown);
      return ask_a_person();
    }
    operation_.reason = unknown.was_called ? reason_of(unknown.reason, ReasonKind::unknown) : Reason{};
    // What the customer has brought back since the question is to go out soon.
    if (unknown.was_called || !operation_.brought_back.empty()) {
      look_up_later();
    } else {
      operation_.due_at = now_ + policy_.look_up_delay_max;
    }
    end_if_overdue();
  }

  // Nothing could be learned: whatever there is, the PSP is to let go of it.
  void end_or_ask_a_person() {
    const bool may_end = operation_.kind == Kind::authorize && policy_.can_end_unknown && !did_end_;
    if (!may_end) return ask_a_person();
    action_ = Action::end;
  }

  // The customer has not come. The PSP may be told so again and again, once each time that it is asked.
  void end_if_overdue() {
    const bool is_for_customer =
        operation_.kind == Kind::authorize && operation_.phase == Phase::action_required;
    if (!is_for_customer || !policy_.can_end || did_end_) return;
    const auto time = transaction_.return_url.empty() ? milliseconds(0) : policy_.customer_max;
    const auto left = time - (now_ - operation_.sent_at.value_or(now_));
    if (left <= milliseconds(0)) {
      action_ = Action::end;
    } else {
      // In time, however seldom it is asked for by then.
      operation_.due_at = std::min(*operation_.due_at, now_ + std::chrono::ceil<milliseconds>(left));
    }
  }

  // Not even a PSP that cannot be asked any more is waited for without end.
  bool is_late() const { return now_ - operation_.sent_at.value_or(now_) > policy_.pending_max; }

  bool contradicts(const std::optional<Money>& amount, std::string_view psp_reference) {
    if (!amount || *amount == operation_.amount) return false;
    (*this)(Contradicted{fmt::format("the PSP speaks of {}, where {} was asked for", amount->to_string(),
                                     operation_.amount.to_string()),
                         std::string(psp_reference)});
    return true;
  }

  // Whatever became of it: nothing more could be asked of the PSP about it.
  bool cannot_be_named(std::string_view psp_reference) {
    if (psp_reference.empty() || is_psp_name(psp_reference)) return false;
    (*this)(Contradicted{fmt::format("the PSP calls it by what is no name: {}", psp_reference), {}});
    return true;
  }

  void note_reference(std::string_view psp_reference) {
    if (is_psp_name(psp_reference)) operation_.psp_reference = psp_reference;
  }

  Transaction& transaction_;
  Operation& operation_;
  Timestamp now_;
  const RetryPolicy& policy_;
  const bool did_end_;
  Action action_ = Action::none;
};

// Another authorization, if an account takes it that has not been asked yet.
bool add_authorization(State& state, const Accounts& accounts, Timestamp now) {
  state.operations.push_back(authorization_of(state.transaction, ++state.transaction.operation_count, now));
  if (accounts.choose(state, now)) return true;
  state.operations.pop_back();
  --state.transaction.operation_count;
  return false;
}

// Whether the customer still waits for this authorization.
bool is_recent(const Operation& operation, Timestamp now, const RetryPolicy& policy) {
  return operation.kind == Kind::authorize && now - operation.sent_at.value_or(now) <= policy.fail_over_max;
}

// It is proven that nothing reached this account: another one is asked at once, if there is one.
bool go_elsewhere(Step& step, std::string_view reason, const Accounts& accounts, Timestamp now,
                  const RetryPolicy& policy) {
  if (step.operation().phase != Phase::sent || !is_recent(step.operation(), now, policy)) return false;
  auto next = step.state;
  Machine(next, step.index, now, policy).end(Phase::failed, reason_of(reason, ReasonKind::unknown));
  if (!add_authorization(next, accounts, now)) return false;
  step.state = std::move(next);
  step.action = Action::none;
  return true;
}

template <class What>
Step after(Step step, const What& what, const Accounts& accounts, Timestamp now, const RetryPolicy& policy) {
  const auto phase = step.operation().phase;
  SWITCHYARD_ASSERT(is_under_way(phase) && phase != Phase::requested);
  const auto* not_sent = std::get_if<NotSent>(&what);
  if (not_sent == nullptr || !go_elsewhere(step, not_sent->reason, accounts, now, policy)) {
    Machine machine(step.state, step.index, now, policy, step.action);
    std::visit(machine, what);
    step.action = machine.action();
    // The issuer may say yes to another.
    const auto& operation = step.operation();
    if (operation.phase == Phase::declined && operation.reason.kind == ReasonKind::soft_decline &&
        is_recent(operation, now, policy)) {
      add_authorization(step.state, accounts, now);
    }
  }
  settle_schedule(step.state, now);
  return step;
}

// Beside what a person was told of the operation before. False if that says so already.
bool tell_a_person(Operation& operation, std::string_view reason) {
  auto said = reason_of(reason, ReasonKind::unknown);
  if (operation.phase == Phase::manual_review) {
    const auto& known = operation.reason.message;
    if (known.contains(said.message) || known.size() >= reasons_bytes_max) return false;
    if (!known.empty()) said.message = fmt::format("{}; {}", known, said.message);
  }
  operation.reason = std::move(said);
  return true;
}

Status status_of_authorization(const Operation& authorization) {
  switch (authorization.phase) {
    case Phase::action_required:
      return Status::action_required;
    case Phase::declined:
      return Status::declined;
    case Phase::rejected:
    case Phase::failed:
      return Status::failed;
    default:
      return Status::processing;
  }
}

Status status_of_totals(const Transaction& transaction) {
  if (transaction.refunded_minor > 0) {
    return transaction.refunded_minor == transaction.captured_minor ? Status::refunded
                                                                    : Status::partially_refunded;
  }
  if (transaction.captured_minor > 0) return Status::captured;
  return transaction.held_minor > 0 ? Status::authorized : Status::voided;
}

// Of what is voided, and not by us: what the PSP said by itself, or to the capture that came too late.
std::string reason_of_end(const State& state, const Operation& authorization) {
  std::string reason;
  for (const auto& operation : state.operations) {
    if (operation.kind == Kind::void_ && operation.phase == Phase::succeeded) return {};
    if (operation.kind == Kind::capture) reason = operation.reason.text();
  }
  return authorization.reason.text().empty() ? reason : authorization.reason.text();
}

// Why the transaction is where it is: of what is not over, or of the authorization that did not come about or
// whose hold is over.
std::string reason_of_transaction(const State& state) {
  for (const auto& operation : state.operations) {
    if (is_open(operation.phase) && !operation.reason.text().empty()) return operation.reason.text();
  }
  const auto* authorization = find_authorization(state);
  if (authorization == nullptr) return {};
  if (has_come_to_nothing(authorization->phase)) return authorization->reason.text();
  return state.transaction.status == Status::voided ? reason_of_end(state, *authorization) : std::string();
}

// Whether an operation is where a worker must look at it, and when that is due is not written down. Of those
// that wait for their turn only the first has it.
bool is_forgotten(const State& state) {
  bool is_turn_free = std::ranges::none_of(state.operations, is_unresolved, &Operation::phase);
  return std::ranges::any_of(state.operations, [&is_turn_free](const Operation& operation) {
    if (operation.phase == Phase::manual_review || !is_open(operation.phase)) return false;
    const bool must_wait = operation.phase == Phase::requested && !std::exchange(is_turn_free, false);
    return !must_wait && !operation.due_at;
  });
}

}  // namespace

std::chrono::milliseconds longest_delay(const RetryPolicy& policy) {
  const auto last_retry = doubled(policy.retry_delay, policy.sends_max, milliseconds::max() / 2);
  return std::max(
      {policy.lease, last_retry, policy.look_up_delay, policy.look_up_delay_max, policy.elsewhere_delay_max});
}

State accepted(Transaction transaction) {
  State state{std::move(transaction), {}};
  if (state.transaction.capture_method == CaptureMethod::automatic &&
      state.transaction.payment_method.empty()) {
    return state;
  }
  const auto now = state.transaction.created_at;
  state.operations.push_back(authorization_of(state.transaction, ++state.transaction.operation_count, now));
  settle_schedule(state, now);
  return state;
}

std::expected<std::string, NoAccount> OneAccount::choose(const State& state, Timestamp) const {
  if (!was_asked(state, name_)) return name_;
  return std::unexpected(NoAccount{"there is no other account to ask"});
}

bool was_asked(const State& state, std::string_view account) {
  return std::ranges::any_of(state.operations, [account](const Operation& operation) {
    return operation.kind == Kind::authorize && operation.psp == account;
  });
}

Step claim(State state, const Accounts& accounts, Timestamp now, const RetryPolicy& policy) {
  ++state.transaction.version;
  const auto index = choose_due(state, now);
  Machine machine(state, index, now, policy);
  machine.claim(state, accounts);
  settle_schedule(state, now);
  return {std::move(state), machine.action(), index};
}

Step answered(Step step, const Answer& answer, const Accounts& accounts, Timestamp now,
              const RetryPolicy& policy) {
  SWITCHYARD_ASSERT(is_unresolved(step.operation().phase));
  return after(std::move(step), answer, accounts, now, policy);
}

Step found(Step step, const Found& what, const Accounts& accounts, Timestamp now, const RetryPolicy& policy) {
  return after(std::move(step), what, accounts, now, policy);
}

Claim claim_of(const Step& claimed) {
  return {claimed.index, claimed.operation().claims, claimed.operation().phase};
}

std::optional<Step> caught_up(State state, const Claim& claim) {
  if (claim.index >= state.operations.size()) return std::nullopt;
  const auto& operation = state.operations[claim.index];
  if (operation.claims != claim.claims || operation.phase != claim.phase) return std::nullopt;
  ++state.transaction.version;
  return Step{std::move(state), Action::none, claim.index};
}

std::optional<State> ask_now(State state, Timestamp now, std::string_view brought_back) {
  bool is_any = false;
  for (auto& operation : state.operations) {
    if (!waits_for_psp(operation.phase)) continue;
    is_any = true;
    operation.look_ups = 0;
    operation.due_at = now;
    const bool is_for_it = operation.phase == Phase::action_required && !brought_back.empty();
    if (is_for_it) operation.brought_back = brought_back;
  }
  if (!is_any) return std::nullopt;
  ++state.transaction.version;
  settle_schedule(state, now);
  return state;
}

std::optional<State> ask_now_for(State state, std::size_t index, std::string_view psp_reference,
                                 Timestamp now) {
  auto& operation = state.operations.at(index);
  if (!waits_for_psp(operation.phase) && operation.phase != Phase::unknown) return std::nullopt;
  ++state.transaction.version;
  // Of what is unknown it counts how long a person is not asked.
  if (operation.phase != Phase::unknown) operation.look_ups = 0;
  operation.due_at = now;
  if (is_psp_name(psp_reference)) operation.psp_reference = psp_reference;
  settle_schedule(state, now);
  return state;
}

bool may_settle(const State& state, std::string_view worker, const Elsewhere& outcome) {
  if (state.transaction.status == Status::queued) return true;
  const auto* authorization = find_authorization(state);
  return authorization != nullptr && state.transaction.status == Status::failed &&
         authorization->phase == Phase::failed && authorization->psp == worker &&
         std::holds_alternative<ChargedElsewhere>(outcome);
}

State settle(State state, std::string_view worker, const Elsewhere& outcome, Timestamp now) {
  SWITCHYARD_ASSERT(may_settle(state, worker, outcome));
  // Another try is another authorization: the first one stays what it was.
  state.operations.push_back(authorization_of(state.transaction, ++state.transaction.operation_count, now));
  ++state.transaction.version;
  auto& authorization = state.operations.back();
  authorization.psp = worker;
  authorization.phase = Phase::sent;
  authorization.claims = 1;
  authorization.sends = 1;
  authorization.sent_at = now;
  const RetryPolicy policy;
  Machine machine(state, state.operations.size() - 1, now, policy);
  if (std::holds_alternative<ChargedElsewhere>(outcome)) {
    machine(Succeeded{{}, authorization.amount});
  } else if (const auto* failed = std::get_if<FailedElsewhere>(&outcome)) {
    machine.end(Phase::failed, reason_of(failed->reason, ReasonKind::unknown));
  } else {
    authorization.reason = reason_of(std::get<UnknownElsewhere>(outcome).reason, ReasonKind::unknown);
    machine.ask_a_person();
  }
  settle_schedule(state, now);
  return state;
}

State take_back(State state, std::int32_t number, std::string_view reason, Timestamp now) {
  const auto operation = std::ranges::find(state.operations, number, &Operation::number);
  if (operation == state.operations.end() || !is_booked(*operation)) return state;
  operation->taken_back = take_back(state, *operation);
  const bool is_news = tell_a_person(*operation, reason);
  // The totals have no room for it, and a person looks at it already.
  if (!operation->taken_back && !is_news) return state;
  ++state.transaction.version;
  operation->phase = Phase::manual_review;
  settle_schedule(state, now);
  return state;
}

State give_to_a_person(State state, std::int32_t number, std::string_view reason, Timestamp now) {
  const auto operation = std::ranges::find(state.operations, number, &Operation::number);
  SWITCHYARD_ASSERT(operation != state.operations.end());
  const bool is_a_persons = operation->phase == Phase::manual_review;
  if (is_open(operation->phase) && !is_a_persons) return state;
  if (!tell_a_person(*operation, reason)) return state;
  ++state.transaction.version;
  // It has moved no money, as far as is known.
  if (!is_a_persons && !is_booked(*operation)) operation->ended_at.reset();
  operation->phase = Phase::manual_review;
  settle_schedule(state, now);
  return state;
}

State end_hold(State state, std::string_view reason, Timestamp now) {
  ++state.transaction.version;
  release(state.transaction);
  const auto authorization = find_authorization(state)->number;
  tell_a_person(*std::ranges::find(state.operations, authorization, &Operation::number), reason);
  settle_schedule(state, now);
  return state;
}

std::optional<State> resolve(State state, std::int32_t number, const Resolution& resolution, Timestamp now) {
  SWITCHYARD_ASSERT(resolution.psp_reference.empty() || is_psp_name(resolution.psp_reference));
  const auto operation = std::ranges::find(state.operations, number, &Operation::number);
  if (operation == state.operations.end()) return std::nullopt;
  const bool is_renamed =
      operation->phase == Phase::succeeded && resolution.succeeded && !resolution.psp_reference.empty();
  if (operation->phase != Phase::manual_review && !is_renamed) return std::nullopt;
  ++state.transaction.version;
  operation->resolution = printable(resolution.note);
  if (!resolution.psp_reference.empty()) operation->psp_reference = resolution.psp_reference;
  if (is_renamed) {
    settle_schedule(state, now);
    return state;
  }
  const bool was_booked = is_booked(*operation);
  if (resolution.succeeded && operation->taken_back) {
    put_back(state.transaction, *operation);
  } else if (resolution.succeeded && !was_booked) {
    book(state.transaction, *operation);
  }
  if (!resolution.succeeded && was_booked && !take_back(state, *operation)) return std::nullopt;
  if (!totals_are_in_order(state.transaction)) return std::nullopt;
  operation->taken_back = false;
  operation->phase = resolution.succeeded ? Phase::succeeded : Phase::failed;
  operation->ended_at = now;
  if (resolution.succeeded && !leaves_room_for_open(state)) return std::nullopt;
  settle_schedule(state, now);
  return state;
}

Status status_of(const State& state) {
  const auto is_any = [&state](Phase phase) {
    return std::ranges::any_of(state.operations,
                               [phase](const Operation& operation) { return operation.phase == phase; });
  };
  const auto* authorization = find_authorization(state);
  if (authorization == nullptr) return Status::queued;
  if (is_any(Phase::manual_review)) return Status::manual_review;
  if (is_any(Phase::unknown)) return Status::unknown;
  if (authorization->phase != Phase::succeeded) return status_of_authorization(*authorization);
  const bool is_any_open = std::ranges::any_of(
      state.operations, [](const Operation& operation) { return is_open(operation.phase); });
  return is_any_open ? Status::processing : status_of_totals(state.transaction);
}

void settle_schedule(State& state, Timestamp now) {
  auto& transaction = state.transaction;
  const bool is_one_unresolved = std::ranges::any_of(
      state.operations, [](const Operation& operation) { return is_unresolved(operation.phase); });
  const auto is_waiting = [](const Operation& operation) { return operation.phase == Phase::requested; };
  const auto next = std::ranges::find_if(state.operations, is_waiting);
  for (auto& operation : state.operations) {
    if (!is_waiting(operation)) continue;
    const bool is_its_turn = !is_one_unresolved && operation.number == next->number;
    if (!is_its_turn) operation.due_at.reset();
    if (is_its_turn && !operation.due_at) operation.due_at = now;
  }
  transaction.status = status_of(state);
  transaction.reason = reason_of_transaction(state);
  transaction.updated_at = now;
  if (transaction.status == Status::queued) return;
  transaction.next_action_at.reset();
  for (const auto& operation : state.operations) {
    if (!operation.due_at) continue;
    transaction.next_action_at =
        std::min(transaction.next_action_at.value_or(*operation.due_at), *operation.due_at);
  }
}

std::optional<std::string_view> why_broken(const Transaction& transaction) {
  if (!totals_are_in_order(transaction)) {
    return "its amounts are not 0 <= refunded <= captured, captured + held <= authorized <= amount";
  }
  const bool open = is_open(transaction.status);
  if (open && !transaction.next_action_at) return "it is open, and nothing is due";
  if (!open && transaction.next_action_at && transaction.status != Status::manual_review) {
    return "it is not open, and something is due";
  }
  if (transaction.operation_count < 0 || transaction.version < 0) return "it has a count below zero";
  const bool begun = transaction.operation_count > 0;
  if (begun == (transaction.status == Status::queued)) {
    return begun ? "it is queued, and was begun" : "it was begun, and has no operation";
  }
  const bool paid = transaction.authorized_minor > 0;
  const bool needs_money = transaction.status == Status::authorized ||
                           transaction.status == Status::captured || transaction.status == Status::voided ||
                           transaction.status == Status::partially_refunded ||
                           transaction.status == Status::refunded;
  const bool has_none = transaction.status == Status::queued || transaction.status == Status::declined ||
                        transaction.status == Status::failed || transaction.status == Status::action_required;
  if ((needs_money && (!paid || transaction.status != status_of_totals(transaction))) || (has_none && paid)) {
    return "its status does not fit its amounts";
  }
  return std::nullopt;
}

std::optional<std::string_view> why_broken(const State& state) {
  const auto& [transaction, operations] = state;
  if (const auto why = why_broken(transaction)) return why;
  if (std::cmp_not_equal(operations.size(), transaction.operation_count)) return "an operation is missing";
  std::int32_t number = 0;
  for (const auto& operation : operations) {
    if (operation.number != ++number) return "an operation is missing";
    if (operation.amount.currency() != transaction.amount.currency() || operation.amount.minor() <= 0 ||
        operation.amount.minor() > transaction.amount.minor()) {
      return "an operation's amount is not the transaction's";
    }
    if (operation.claims < 0 || operation.sends < 0 || operation.look_ups < 0) return "a count is below zero";
  }
  if (std::ranges::count_if(operations, is_unresolved, &Operation::phase) > 1) {
    return "two of its operations are unresolved at once";
  }
  if (status_of(state) != transaction.status) return "its status does not follow from its operations";
  if (is_forgotten(state)) return "one of its operations is open, and not due";
  if (transaction.next_action_at && !operations.empty() &&
      std::ranges::none_of(operations, [](const auto& due) { return due.has_value(); }, &Operation::due_at)) {
    return "something is due, and none of its operations is";
  }
  return std::nullopt;
}

void assert_invariants(const State& state) {
  SWITCHYARD_ASSERT(!why_broken(state));
}

}  // namespace switchyard::payment
