#include "routing/warnings.hpp"

#include <algorithm>
#include <limits>
#include <ranges>

#include <fmt/format.h>

namespace switchyard::routing {
namespace {

using MinutesOfDay = std::bitset<24 * 60>;

// Of lists that ask for nothing where they are empty.
template <class Value>
bool covers(const std::vector<Value>& earlier, const std::vector<Value>& later) {
  return earlier.empty() || (!later.empty() && std::ranges::includes(earlier, later));
}

bool covers_amounts(const When& earlier, const When& later) {
  // No payment is of less than 1.
  const auto least = later.amount_min.value_or(1);
  const auto most = later.amount_max.value_or(std::numeric_limits<std::int64_t>::max());
  return (!earlier.amount_min || *earlier.amount_min <= least) &&
         (!earlier.amount_max || *earlier.amount_max >= most);
}

std::bitset<7> days_of(const When& when) {
  return when.weekdays.none() ? ~when.weekdays : when.weekdays;
}

MinutesOfDay minutes_of(const When& when) {
  MinutesOfDay minutes;
  if (when.times.empty()) return ~minutes;
  for (const auto& range : when.times) {
    const auto from = static_cast<std::size_t>(range.from.count()) % minutes.size();
    const auto to = static_cast<std::size_t>(range.to.count()) % minutes.size();
    auto minute = from;
    do {
      minutes.set(minute);
      minute = (minute + 1) % minutes.size();
    } while (minute != to);
  }
  return minutes;
}

// Not of one that asks for nothing: a payment may have no payment_method.
bool covers_payment_methods(const When& earlier, const When& later) {
  if (earlier.payment_methods.none()) return true;
  return later.payment_methods.any() && (later.payment_methods & ~earlier.payment_methods).none();
}

bool covers_metadata(const When& earlier, const When& later) {
  return std::ranges::all_of(earlier.metadata, [&later](const MetadataIs& wanted) {
    const auto found = std::ranges::find(later.metadata, wanted.name, &MetadataIs::name);
    return found != later.metadata.end() && std::ranges::includes(wanted.values, found->values);
  });
}

const Rule* find_rule_that_covers(const Routes& routes, std::size_t later) {
  const auto earlier = routes.rules | std::views::take(later);
  const auto found = std::ranges::find_if(
      earlier, [&](const Rule& rule) { return covers(rule.when, routes.rules[later].when); });
  return found == earlier.end() ? nullptr : &*found;
}

bool names(const Rule& rule, std::size_t account) {
  return std::ranges::find(rule.psp, account, &Weighted::account) != rule.psp.end() ||
         std::ranges::find(rule.fallback, account) != rule.fallback.end();
}

void add_rules_that_never_match(const Routes& routes, Findings& findings) {
  for (std::size_t i = 1; i < routes.rules.size(); ++i) {
    const auto* earlier = find_rule_that_covers(routes, i);
    if (earlier == nullptr) continue;
    const auto& rule = routes.rules[i];
    findings.add({.line = rule.line},
                 fmt::format("{} never matches: {} in line {} takes all that it would", rule.label(),
                             earlier->label(), earlier->line),
                 "put it in front of that one, or leave it out");
  }
}

void add_accounts_without_rule(const Routes& routes, Findings& findings) {
  for (std::size_t i = 0; i < routes.accounts.size(); ++i) {
    if (std::ranges::any_of(routes.rules, [i](const Rule& rule) { return names(rule, i); })) continue;
    const auto& account = routes.accounts[i];
    findings.add({.line = account.line}, fmt::format("no rule names account '{}'", account.name),
                 "no new payment goes there; it may stand here for captures and refunds of earlier ones");
  }
}

}  // namespace

bool covers(const When& earlier, const When& later) {
  return covers(earlier.currencies, later.currencies) && covers_amounts(earlier, later) &&
         covers(earlier.merchants, later.merchants) && covers_payment_methods(earlier, later) &&
         (days_of(later) & ~days_of(earlier)).none() && covers_metadata(earlier, later) &&
         (earlier.times.empty() || (minutes_of(later) & ~minutes_of(earlier)).none());
}

std::vector<Finding> warnings_of(const Routes& routes) {
  Findings findings;
  add_rules_that_never_match(routes, findings);
  add_accounts_without_rule(routes, findings);
  auto warnings = findings.take();
  const bool is_complete =
      std::ranges::any_of(routes.rules, [](const Rule& rule) { return covers(rule.when, {}); });
  if (!is_complete && !routes.rules.empty()) {
    warnings.push_back({.at = {.line = routes.rules.back().line},
                        .wrong = "no rule takes all, and a payment that none matches goes nowhere",
                        .right = "end with a rule that has no 'when'"});
  }
  return warnings;
}

}  // namespace switchyard::routing
