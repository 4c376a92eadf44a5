#include "routing/breaker.hpp"

#include <algorithm>

#include "payment/names.hpp"

namespace switchyard::routing {
namespace {

constexpr payment::Names<BreakerState, 3> breaker_state_names{{
    {BreakerState::closed, "closed"},
    {BreakerState::open, "open"},
    {BreakerState::half_open, "half_open"},
}};

Heard heard_of_variant(const auto& said) {
  if (std::holds_alternative<payment::NotSent>(said)) return Heard::not_sent;
  return std::holds_alternative<payment::OutcomeUnknown>(said) ? Heard::unknown : Heard::answered;
}

}  // namespace

std::string_view to_string(BreakerState state) {
  return payment::name_of(breaker_state_names, state);
}

Heard heard_of(const payment::Answer& answer) {
  const auto* rejected = std::get_if<payment::Rejected>(&answer);
  if (rejected != nullptr && rejected->is_of_account) return Heard::not_sent;
  return heard_of_variant(answer);
}
Heard heard_of(const payment::Found& found) {
  return heard_of_variant(found);
}

BreakerState Breaker::state(Timestamp now) const {
  if (!open_until_) return BreakerState::closed;
  return at_least_latest(now) < *open_until_ ? BreakerState::open : BreakerState::half_open;
}

bool Breaker::lets_through(Timestamp now) const {
  switch (state(now)) {
    case BreakerState::closed:
      return true;
    case BreakerState::open:
      return false;
    case BreakerState::half_open:
      break;
  }
  return !probe_until_ || at_least_latest(now) >= *probe_until_;
}

CallCounts Breaker::counts(Timestamp now) const {
  const auto newest = part_number(at_least_latest(now));
  CallCounts sum;
  for (const auto& part : parts_) {
    if (part.number <= newest - parts) continue;
    sum.answered += part.counts.answered;
    sum.failed += part.counts.failed;
  }
  return sum;
}

std::optional<Timestamp> Breaker::open_until(Timestamp now) const {
  return state(now) == BreakerState::open ? open_until_ : std::nullopt;
}

void Breaker::sent(Timestamp now) {
  latest_ = at_least_latest(now);
  if (state(latest_) == BreakerState::half_open) probe_until_ = latest_ + policy_.probe_for;
}

void Breaker::heard(Heard what, Timestamp now) {
  latest_ = at_least_latest(now);
  const auto before = state(latest_);
  count(what, latest_);
  if (before == BreakerState::half_open) {
    if (what == Heard::answered) return close();
    return open(std::min(open_for_ * 2, policy_.open_for_max), latest_);
  }
  if (before == BreakerState::closed && what != Heard::answered && is_too_bad(latest_)) {
    open(policy_.open_for, latest_);
  }
}

std::int64_t Breaker::part_number(Timestamp now) const {
  const auto length = std::max<std::int64_t>(policy_.window.count() / parts, 1);
  return std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count() / length;
}

void Breaker::count(Heard what, Timestamp now) {
  const auto number = part_number(now);
  auto& part = parts_[static_cast<std::size_t>(number % parts)];
  if (part.number != number) part = {.number = number, .counts = {}};
  ++(what == Heard::answered ? part.counts.answered : part.counts.failed);
}

bool Breaker::is_too_bad(Timestamp now) const {
  const auto [answered, failed] = counts(now);
  return failed >= policy_.failures_min && failed * 100 >= policy_.failures_percent * (answered + failed);
}

void Breaker::open(std::chrono::milliseconds time, Timestamp now) {
  open_for_ = time;
  open_until_ = now + time;
  probe_until_.reset();
}

void Breaker::close() {
  open_until_.reset();
  probe_until_.reset();
  parts_ = {};
}

}  // namespace switchyard::routing
