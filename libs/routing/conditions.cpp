#include "routing/conditions.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::string words_of_amounts(const When& when) {
  if (!when.amount_max) return fmt::format("{} or more", when.amount_min.value_or(0));
  if (!when.amount_min) return fmt::format("{} or less", *when.amount_max);
  if (*when.amount_min == *when.amount_max) return fmt::format("{}", *when.amount_min);
  return fmt::format("{} to {}", *when.amount_min, *when.amount_max);
}

std::string words_of(const std::vector<Currency>& currencies) {
  return one_of(currencies, [](Currency currency) { return std::string(currency.code()); });
}

std::string words_of(const std::vector<MerchantId>& merchants) {
  return one_of(merchants, [](MerchantId merchant) { return std::to_string(merchant.value); });
}

std::string words_of(const std::vector<TimeRange>& times) {
  return one_of(times, [](const TimeRange& range) { return to_string(range); });
}

std::string words_of(const std::bitset<7>& weekdays) {
  std::vector<std::string_view> days;
  for (unsigned day = 0; day < weekdays.size(); ++day) {
    if (weekdays.test(day)) days.push_back(weekday_name(day));
  }
  return one_of(days, [](std::string_view day) { return std::string(day); });
}

std::string words_of(const Adapters& adapters) {
  std::vector<std::string_view> wanted;
  for (const auto adapter : {Adapter::stripe, Adapter::adyen, Adapter::simulator}) {
    if (adapters.test(std::to_underlying(adapter))) wanted.push_back(to_string(adapter));
  }
  return one_of(wanted, [](std::string_view adapter) { return std::string(adapter); });
}

std::string words_of(const MetadataIs& wanted) {
  return one_of(wanted.values, [](const std::string& one) { return quoted(one); });
}

std::string why_not_amount(const When& when, const Asked& asked) {
  const auto minor = asked.amount.minor();
  if (when.amount_min && minor < *when.amount_min) {
    return fmt::format("amount is {}, below {}", minor, *when.amount_min);
  }
  return fmt::format("amount is {}, above {}", minor,
                     when.amount_max.value_or(std::numeric_limits<std::int64_t>::max()));
}

std::string why_not_metadata(const When& when, const Asked& asked) {
  for (const auto& wanted : when.metadata) {
    if (is_as_asked(wanted, asked)) continue;
    const auto* value = asked.find_metadata(wanted.name);
    if (value == nullptr) return fmt::format("metadata has no {}", quoted(wanted.name));
    return fmt::format("metadata's {} is {}, not {}", quoted(wanted.name), quoted(*value), words_of(wanted));
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

std::string words_of(const When& when) {
  std::vector<std::string> words;
  const auto add = [&words](bool is_asked, std::string_view what, auto text) {
    if (is_asked) words.push_back(fmt::format("{} {}", what, text()));
  };
  add(!when.currencies.empty(), "currency is", [&] { return words_of(when.currencies); });
  add(when.amount_min || when.amount_max, "amount is", [&] { return words_of_amounts(when); });
  add(!when.merchants.empty(), "merchant is", [&] { return words_of(when.merchants); });
  add(when.payment_methods.any(), "payment_method for", [&] { return words_of(when.payment_methods); });
  add(when.weekdays.any(), "weekday is", [&] { return words_of(when.weekdays); });
  add(!when.times.empty(), "time is in", [&] { return words_of(when.times); });
  for (const auto& wanted : when.metadata) {
    words.push_back(fmt::format("metadata's {} is {}", quoted(wanted.name), words_of(wanted)));
  }
  return fmt::format("{}", fmt::join(words, "; "));
}

std::string why_not(Condition condition, const When& when, const Asked& asked, const Moment& moment) {
  switch (condition) {
    case Condition::currency:
      return fmt::format("currency is {}, not {}", asked.amount.currency().code(), words_of(when.currencies));
    case Condition::amount:
      return why_not_amount(when, asked);
    case Condition::merchant:
      return fmt::format("merchant is {}, not {}", asked.merchant.value, words_of(when.merchants));
    case Condition::payment_method:
      return fmt::format("no payment_method for {}", words_of(when.payment_methods));
    case Condition::weekday:
      return fmt::format("weekday is {}, not {}", weekday_name(moment.weekday), words_of(when.weekdays));
    case Condition::time:
      return fmt::format("time is {:02}:{:02}, not in {}", moment.since_midnight.count() / 60,
                         moment.since_midnight.count() % 60, words_of(when.times));
    case Condition::metadata:
      break;
  }
  return why_not_metadata(when, asked);
}

}  // namespace switchyard::routing
