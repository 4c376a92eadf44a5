#include "switchyard/psp_rates.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "money/printable.hpp"

namespace switchyard::cli {
namespace {

using payment::Phase;

std::int64_t& count_of(PspRates& rates, Phase phase) {
  switch (phase) {
    case Phase::succeeded:
      return rates.succeeded;
    case Phase::declined:
      return rates.declined;
    case Phase::unknown:
    case Phase::manual_review:
      return rates.unknown;
    case Phase::rejected:
    case Phase::failed:
      return rates.failed;
    case Phase::requested:
    case Phase::sent:
    case Phase::pending:
    case Phase::action_required:
      return rates.open;
  }
  std::unreachable();
}

std::string error_text(const store::RecentAttempt& attempt) {
  const auto why = printable(attempt.reason.message.empty() ? attempt.reason.code : attempt.reason.message);
  const auto phase = payment::to_string(attempt.phase);
  return why.empty() ? std::string(phase) : fmt::format("{}: {}", phase, why);
}

}  // namespace

RatesByPsp rates_of(const store::RecentAttempts& recent) {
  RatesByPsp all;
  for (const auto& attempt : recent.items) {
    auto& rates = all[attempt.psp];
    auto& count = count_of(rates, attempt.phase);
    ++count;
    const bool is_error = &count == &rates.unknown || &count == &rates.failed;
    if (!is_error || (rates.last_error && rates.last_error->at >= attempt.at)) continue;
    rates.last_error = PspRates::LastError{.at = attempt.at, .text = error_text(attempt)};
  }
  return all;
}

std::string percent_text(std::int64_t part, std::int64_t whole) {
  constexpr std::int64_t all_tenths = 1'000;
  if (whole <= 0) return "-";
  if (part <= 0) return "0%";
  if (part >= whole) return "100%";
  const auto tenths = std::clamp<std::int64_t>((part * all_tenths + whole / 2) / whole, 1, all_tenths - 1);
  return fmt::format("{}.{}%", tenths / 10, tenths % 10);
}

}  // namespace switchyard::cli
