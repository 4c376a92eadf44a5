#include "payment/state_machine.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "money/printable.hpp"
#include "payment/fingerprint.hpp"

namespace switchyard::payment {
namespace {

using std::chrono::milliseconds;

milliseconds doubled(milliseconds first, std::int32_t times, milliseconds longest) {
  auto delay = first;
  for (std::int32_t i = 0; i < times && delay < longest; ++i) delay *= 2;
  return std::min(delay, longest);
}

// An approval of a transaction that captures automatically is a capture.
void approve(Transaction& transaction) {
  transaction.authorized_minor = transaction.amount.minor();
  if (transaction.capture_method == CaptureMethod::automatic) {
    transaction.captured_minor = transaction.authorized_minor;
    transaction.status = Status::captured;
  } else {
    transaction.status = Status::authorized;
  }
}

bool has_unresolved_attempt(const State& state) {
  return state.attempt && !is_resolved(state.attempt->status);
}

// Whether a worker has still something to do.
bool is_open(Status status) {
  return status == Status::queued || status == Status::processing || status == Status::unknown;
}

bool fits_the_money(const Transaction& transaction) {
  const auto& [authorized, captured, refunded] =
      std::tie(transaction.authorized_minor, transaction.captured_minor, transaction.refunded_minor);
  switch (transaction.status) {
    case Status::queued:
    case Status::processing:
    case Status::unknown:
    case Status::manual_review:
    case Status::declined:
    case Status::failed:
      return authorized == 0;
    case Status::authorized:
      return authorized > 0 && captured == 0;
    case Status::voided:
      return captured == 0;
    case Status::captured:
      return captured > 0 && refunded == 0;
    case Status::partially_refunded:
      return 0 < refunded && refunded < captured;
    case Status::refunded:
      return 0 < refunded && refunded == captured;
  }
  return false;
}

class Machine {
 public:
  Machine(State state, Timestamp now, const RetryPolicy& policy)
      : state_(std::move(state)), transaction_(state_.transaction), now_(now), policy_(policy) {
    SWITCHYARD_ASSERT(is_open(transaction_.status));
  }

  Transition finish() && {
    transaction_.updated_at = now_;
    assert_invariants(transaction_);
    return {std::move(state_), action_};
  }

  void operator()(const Claimed& claimed) {
    ++transaction_.epoch;
    transaction_.next_action_at = now_ + policy_.lease;
    if (has_unresolved_attempt(state_)) {
      // Whoever claimed it before died or was too slow: the PSP may have been called.
      transaction_.status = Status::unknown;
      state_.attempt->status = AttemptStatus::unknown;
      if (state_.attempt->psp != claimed.psp) {
        return stay_unknown(
            fmt::format("the attempt was made at {}, which is not configured here", state_.attempt->psp));
      }
      action_ = Action::look_up;
      return;
    }
    SWITCHYARD_ASSERT(transaction_.status != Status::unknown);
    start_attempt(claimed.psp);
    action_ = Action::authorize;
  }

  void operator()(const Approved& approved) {
    end_attempt(AttemptStatus::approved, {}).psp_reference = printable(approved.psp_reference);
    approve(transaction_);
    transaction_.reason.clear();
    transaction_.next_action_at.reset();
  }

  void operator()(const Declined& declined) {
    auto& attempt = end_attempt(AttemptStatus::declined, declined.code);
    attempt.psp_reference = printable(declined.psp_reference);
    end(Status::declined, attempt.reason);
  }

  void operator()(const NotSent& not_sent) {
    if (transaction_.status == Status::unknown) {
      // This send did not arrive, but an earlier one of the same attempt may have.
      return stay_unknown(not_sent.reason);
    }
    const auto& attempt = end_attempt(AttemptStatus::not_sent, not_sent.reason);
    if (transaction_.attempt_count >= policy_.attempts_max) return end(Status::failed, attempt.reason);
    transaction_.reason = attempt.reason;
    transaction_.next_action_at =
        now_ + doubled(policy_.retry_delay, transaction_.attempt_count - 1, milliseconds::max() / 2);
  }

  void operator()(const OutcomeUnknown& unknown) { stay_unknown(unknown.reason); }

  // The attempt stays unknown: what became of the money is what the person finds out.
  void operator()(const Contradicted& contradicted) {
    SWITCHYARD_ASSERT(has_unresolved_attempt(state_));
    auto& attempt = *state_.attempt;
    attempt.status = AttemptStatus::unknown;
    attempt.reason = printable(contradicted.reason);
    attempt.psp_reference = printable(contradicted.psp_reference);
    end(Status::manual_review, attempt.reason);
  }

  void operator()(const NoSuchCharge&) {
    SWITCHYARD_ASSERT(has_unresolved_attempt(state_) && transaction_.status == Status::unknown);
    if (state_.attempt->request_fingerprint != fingerprint(request_bytes(transaction_))) {
      // Another version of this program wrote the attempt. A request that differs is a second charge to some
      // PSPs.
      return end(Status::manual_review, "the request would not be identical to the one that was sent");
    }
    // The identical request under the identical key: if the first one arrives after all, the PSP makes one
    // charge of the two.
    action_ = Action::authorize;
  }

  void operator()(const ReportedFailed& failed) {
    const auto& attempt = end_attempt(AttemptStatus::failed, failed.reason);
    end(Status::failed, attempt.reason);
  }

 private:
  void start_attempt(std::string_view psp) {
    transaction_.status = Status::processing;
    Attempt attempt;
    attempt.number = ++transaction_.attempt_count;
    attempt.psp = psp;
    // The merchant, too: two of them with one id would otherwise be one charge.
    attempt.idempotency_key = fmt::format("{}-{}-{}", transaction_.merchant_id.value,
                                          transaction_.id.value.to_string(), attempt.number);
    attempt.request_fingerprint = fingerprint(request_bytes(transaction_));
    attempt.started_at = now_;
    state_.attempt = std::move(attempt);
  }

  Attempt& end_attempt(AttemptStatus status, std::string_view reason) {
    SWITCHYARD_ASSERT(has_unresolved_attempt(state_));
    state_.attempt->status = status;
    state_.attempt->reason = printable(reason);
    state_.attempt->ended_at = now_;
    return *state_.attempt;
  }

  void stay_unknown(std::string_view reason) {
    SWITCHYARD_ASSERT(has_unresolved_attempt(state_));
    auto& attempt = *state_.attempt;
    attempt.status = AttemptStatus::unknown;
    attempt.reason = printable(reason);
    if (attempt.look_ups >= policy_.look_ups_max) return end(Status::manual_review, attempt.reason);
    transaction_.status = Status::unknown;
    transaction_.reason = attempt.reason;
    transaction_.next_action_at =
        now_ + doubled(policy_.look_up_delay, attempt.look_ups, policy_.look_up_delay_max);
    ++attempt.look_ups;
  }

  void end(Status status, std::string reason) {
    transaction_.status = status;
    transaction_.reason = std::move(reason);
    transaction_.next_action_at.reset();
  }

  State state_;
  Transaction& transaction_;
  Timestamp now_;
  const RetryPolicy& policy_;
  Action action_ = Action::none;
};

}  // namespace

Transition apply(State state, const Event& event, Timestamp now, const RetryPolicy& policy) {
  Machine machine(std::move(state), now, policy);
  std::visit(machine, event);
  return std::move(machine).finish();
}

bool may_settle(const State& state, std::string_view psp, const Event& outcome) {
  const auto& [transaction, attempt] = state;
  if (transaction.status == Status::queued) return true;
  return transaction.status == Status::failed && attempt && attempt->status == AttemptStatus::failed &&
         attempt->psp == psp && std::holds_alternative<Approved>(outcome);
}

State settle(State state, std::string_view psp, const Event& outcome, Timestamp now) {
  SWITCHYARD_ASSERT(may_settle(state, psp, outcome));
  RetryPolicy nobody_to_ask;
  nobody_to_ask.look_ups_max = 0;
  // Another try, and another attempt: the first one stays what it was.
  if (state.transaction.status == Status::failed) state.transaction.status = Status::processing;
  auto claimed = apply(std::move(state), Claimed{psp}, now, nobody_to_ask);
  return apply(std::move(claimed.state), outcome, now, nobody_to_ask).state;
}

std::chrono::milliseconds longest_delay(const RetryPolicy& policy) {
  const auto last_retry = doubled(policy.retry_delay, policy.attempts_max, milliseconds::max() / 2);
  return std::max({policy.lease, last_retry, policy.look_up_delay, policy.look_up_delay_max});
}

std::optional<std::string_view> why_broken(const Transaction& transaction) {
  const bool money_in_order = transaction.amount.minor() > 0 && 0 <= transaction.refunded_minor &&
                              transaction.refunded_minor <= transaction.captured_minor &&
                              transaction.captured_minor <= transaction.authorized_minor &&
                              transaction.authorized_minor <= transaction.amount.minor();
  if (!money_in_order) return "its amounts are not 0 <= refunded <= captured <= authorized <= amount";
  if (!fits_the_money(transaction)) return "its status does not fit its amounts";
  const bool open = is_open(transaction.status);
  if (open && !transaction.next_action_at) return "it is open, and nothing is due";
  if (!open && transaction.next_action_at) return "it is not open, and something is due";
  const bool counts_in_order =
      0 <= transaction.attempt_count && transaction.attempt_count <= transaction.epoch;
  if (!counts_in_order) return "it has more attempts than claims";
  const bool tried = transaction.attempt_count > 0;
  if (transaction.status == Status::queued && (tried || transaction.epoch > 0)) {
    return "it is queued, and was claimed";
  }
  if (open && transaction.status != Status::queued && !tried) return "it was started, and has no attempt";
  return std::nullopt;
}

std::optional<std::string_view> why_broken(const State& state) {
  const auto& [transaction, attempt] = state;
  if (const auto why = why_broken(transaction)) return why;
  if (attempt ? attempt->number != transaction.attempt_count : transaction.attempt_count != 0) {
    return "its last attempt is missing";
  }
  if (transaction.status == Status::unknown && is_resolved(attempt->status)) {
    return "its outcome is unknown, and its last attempt has one";
  }
  if (transaction.status == Status::processing && attempt->status != AttemptStatus::started &&
      attempt->status != AttemptStatus::not_sent) {
    return "it is in process, and its last attempt has an outcome";
  }
  return std::nullopt;
}

void assert_invariants(const Transaction& transaction) {
  SWITCHYARD_ASSERT(!why_broken(transaction));
}

std::string request_bytes(std::string_view reference, Money amount, CaptureMethod capture_method) {
  return fmt::format(R"({{"reference":"{}","amount":{},"currency":"{}","capture_method":"{}"}})", reference,
                     amount.minor(), amount.currency().code(), to_string(capture_method));
}

std::string request_bytes(const Transaction& transaction) {
  return request_bytes(transaction.id.value.to_string(), transaction.amount, transaction.capture_method);
}

}  // namespace switchyard::payment
