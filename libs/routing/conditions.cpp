#include "routing/conditions.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "payment/names.hpp"
#include "routing/finding.hpp"
#include "routing/read_when.hpp"

namespace switchyard::routing {
namespace {

constexpr std::size_t listed_max = 5;

constexpr payment::Names<Condition, all_conditions.size()> condition_names{{
    {Condition::currency, "currency"},
    {Condition::amount, "amount"},
    {Condition::merchant, "merchant"},
    {Condition::payment_method, "payment_method"},
    {Condition::weekday, "weekday"},
    {Condition::time, "time"},
    {Condition::metadata, "metadata"},
}};

bool is_in(const TimeRange& range, std::chrono::minutes time) {
  return range.from < range.to ? range.from <= time && time < range.to
                               : time >= range.from || time < range.to;
}

bool is_in_one(const std::vector<TimeRange>& ranges, std::chrono::minutes time) {
  return std::ranges::any_of(ranges, [time](const TimeRange& range) { return is_in(range, time); });
}

bool is_as_asked(const MetadataIs& wanted, const Asked& asked) {
  const auto* value = asked.find_metadata(wanted.name);
  return value != nullptr && std::ranges::binary_search(wanted.values, *value);
}

bool is_in_amounts(const When& when, std::int64_t minor) {
  return (!when.amount_min || minor >= *when.amount_min) && (!when.amount_max || minor <= *when.amount_max);
}

// "EUR, SEK or USD".
std::string one_of(const auto& values, auto name_of_value) {
  std::string text;
  std::size_t listed = 0;
  for (const auto& value : values) {
    if (listed == listed_max) return text + " or another one of " + std::to_string(std::size(values));
    if (listed > 0) text += listed + 1 == std::size(values) ? " or " : ", ";
    text += name_of_value(value);
    ++listed;
  }
  return text;
}

std::string why_not_amount(const When& when, const Asked& asked) {
  const auto minor = asked.amount.minor();
  if (when.amount_min && minor < *when.amount_min) {
    return fmt::format("amount is {}, below {}", minor, *when.amount_min);
  }
  return fmt::format("amount is {}, above {}", minor,
                     when.amount_max.value_or(std::numeric_limits<std::int64_t>::max()));
}

std::string why_not_weekday(const When& when, const Moment& moment) {
  std::vector<std::string_view> days;
  for (unsigned day = 0; day < when.weekdays.size(); ++day) {
    if (when.weekdays.test(day)) days.push_back(weekday_name(day));
  }
  return fmt::format("weekday is {}, not {}", weekday_name(moment.weekday),
                     one_of(days, [](std::string_view day) { return std::string(day); }));
}

std::string why_not_payment_method(const When& when) {
  std::vector<std::string_view> wanted;
  for (const auto adapter : {Adapter::stripe, Adapter::adyen, Adapter::simulator}) {
    if (when.payment_methods.test(std::to_underlying(adapter))) wanted.push_back(to_string(adapter));
  }
  return fmt::format("no payment_method for {}",
                     one_of(wanted, [](std::string_view adapter) { return std::string(adapter); }));
}

std::string why_not_metadata(const When& when, const Asked& asked) {
  for (const auto& wanted : when.metadata) {
    if (is_as_asked(wanted, asked)) continue;
    const auto* value = asked.find_metadata(wanted.name);
    if (value == nullptr) return fmt::format("metadata has no {}", quoted(wanted.name));
    return fmt::format("metadata's {} is {}, not {}", quoted(wanted.name), quoted(*value),
                       one_of(wanted.values, [](const std::string& one) { return quoted(one); }));
  }
  return {};
}

}  // namespace

std::string_view to_string(Condition condition) {
  return payment::name_of(condition_names, condition);
}

Moment moment_of(Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  return {.weekday = std::chrono::weekday(day).c_encoding(),
          .since_midnight = std::chrono::floor<std::chrono::minutes>(time - day)};
}

bool holds(Condition condition, const When& when, const Asked& asked, const Moment& moment) {
  switch (condition) {
    case Condition::currency:
      return when.currencies.empty() || std::ranges::binary_search(when.currencies, asked.amount.currency());
    case Condition::amount:
      return is_in_amounts(when, asked.amount.minor());
    case Condition::merchant:
      return when.merchants.empty() || std::ranges::binary_search(when.merchants, asked.merchant);
    case Condition::payment_method:
      return when.payment_methods.none() || (when.payment_methods & asked.payment_methods).any();
    case Condition::weekday:
      return when.weekdays.none() || when.weekdays.test(moment.weekday);
    case Condition::time:
      return when.times.empty() || is_in_one(when.times, moment.since_midnight);
    case Condition::metadata:
      break;
  }
  return std::ranges::all_of(when.metadata,
                             [&](const MetadataIs& wanted) { return is_as_asked(wanted, asked); });
}

bool all_hold(const When& when, const Asked& asked, const Moment& moment) {
  return std::ranges::all_of(all_conditions,
                             [&](Condition condition) { return holds(condition, when, asked, moment); });
}

std::string why_not(Condition condition, const When& when, const Asked& asked, const Moment& moment) {
  switch (condition) {
    case Condition::currency:
      return fmt::format(
          "currency is {}, not {}", asked.amount.currency().code(),
          one_of(when.currencies, [](Currency currency) { return std::string(currency.code()); }));
    case Condition::amount:
      return why_not_amount(when, asked);
    case Condition::merchant:
      return fmt::format(
          "merchant is {}, not {}", asked.merchant.value,
          one_of(when.merchants, [](MerchantId merchant) { return std::to_string(merchant.value); }));
    case Condition::payment_method:
      return why_not_payment_method(when);
    case Condition::weekday:
      return why_not_weekday(when, moment);
    case Condition::time:
      return fmt::format("time is {:02}:{:02}, not in {}", moment.since_midnight.count() / 60,
                         moment.since_midnight.count() % 60,
                         one_of(when.times, [](const TimeRange& range) { return to_string(range); }));
    case Condition::metadata:
      break;
  }
  return why_not_metadata(when, asked);
}

}  // namespace switchyard::routing
