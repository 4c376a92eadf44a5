#include "routing/read_when.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "routing/reading.hpp"

namespace switchyard::routing {
namespace {

using std::chrono::minutes;

constexpr auto conditions_known = std::to_array<std::string_view>(
    {"currency", "amount", "merchant", "payment_method", "weekday", "time", "metadata"});
constexpr auto amount_members = std::to_array<std::string_view>({"min", "max"});
constexpr auto weekdays_known =
    std::to_array<std::string_view>({"sun", "mon", "tue", "wed", "thu", "fri", "sat"});
constexpr auto adapters_with_method = std::to_array<std::string_view>({"stripe", "adyen"});

constexpr minutes day_length{24 * 60};

bool is_two_digits(std::string_view text) {
  return text.size() == 2 && is_digit(text[0]) && is_digit(text[1]);
}

std::optional<minutes> parse_time(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hour = text.substr(0, 2);
  const auto minute = text.substr(3);
  if (!is_two_digits(hour) || !is_two_digits(minute)) return std::nullopt;
  const auto number = [](std::string_view two) { return (two[0] - '0') * 10 + (two[1] - '0'); };
  if (number(minute) > 59) return std::nullopt;
  const minutes time{number(hour) * 60 + number(minute)};
  return time <= day_length ? std::optional(time) : std::nullopt;
}

class WhenReader {
 public:
  explicit WhenReader(Findings& findings) : findings_(findings) {}

  When read(const Value& value) {
    const auto ask = [&](std::string_view name, auto reader) {
      if (const auto* member = find_member(value, name)) (this->*reader)(*member);
    };
    ask("currency", &WhenReader::read_currency);
    ask("amount", &WhenReader::read_amount);
    ask("merchant", &WhenReader::read_merchant);
    ask("payment_method", &WhenReader::read_payment_method);
    ask("weekday", &WhenReader::read_weekday);
    ask("time", &WhenReader::read_time);
    ask("metadata", &WhenReader::read_metadata);
    return std::move(when_);
  }

 private:
  // Each text of a list, or the one that stands there alone, of which nothing is not what it should be.
  template <class Read>
  void for_each_text(const Value& value, std::string_view what, std::string_view right, Read read) {
    for (const auto* item : one_or_more(value, what, findings_)) {
      if (is_kind(Value::Kind::text, *item, what, right, findings_)) read(*item);
    }
  }

  void read_currency(const Value& value) {
    constexpr std::string_view right = "write a current code of ISO 4217 in capital letters, such as EUR";
    for_each_text(value, "currency", right, [&](const Value& item) {
      if (const auto currency = Currency::parse(item.text)) {
        when_.currencies.push_back(*currency);
      } else {
        findings_.add(item.at, fmt::format("unknown currency {}", quoted(item.text)), std::string(right));
      }
    });
    std::ranges::sort(when_.currencies);
  }

  std::optional<std::int64_t> read_bound(const Value& table, std::string_view name) {
    const auto* value = find_member(table, name);
    const auto what = fmt::format("amount's {}", name);
    constexpr std::string_view right = "write a whole number of minor units, such as 500_00 for 500.00 EUR";
    if (value == nullptr || !is_kind(Value::Kind::whole_number, *value, what, right, findings_)) {
      return std::nullopt;
    }
    if (value->number >= 0) return value->number;
    findings_.add(value->at, fmt::format("{} is below zero", what), std::string(right));
    return std::nullopt;
  }

  void read_amount(const Value& value) {
    if (!is_kind(Value::Kind::table, value, "amount", "write amount = { min = 1_00, max = 500_00 }",
                 findings_)) {
      return;
    }
    check_members(value, "amount", amount_members, findings_);
    if (value.items.empty()) {
      findings_.add(value.at, "amount has neither min nor max", "write one of them, or leave it out");
    }
    when_.amount_min = read_bound(value, "min");
    when_.amount_max = read_bound(value, "max");
    if (when_.amount_min && when_.amount_max && *when_.amount_min > *when_.amount_max) {
      findings_.add(value.at,
                    fmt::format("amount goes from {} down to {}", *when_.amount_min, *when_.amount_max),
                    fmt::format("write min = {}, max = {}", *when_.amount_max, *when_.amount_min));
    }
  }

  void read_merchant(const Value& value) {
    for (const auto* item : one_or_more(value, "merchant", findings_)) {
      if (is_kind(Value::Kind::whole_number, *item, "merchant", "write the merchant's id, such as 7",
                  findings_)) {
        when_.merchants.push_back({item->number});
      }
    }
    std::ranges::sort(when_.merchants);
  }

  void read_payment_method(const Value& value) {
    constexpr std::string_view right = "write the name of an adapter, such as \"stripe\"";
    for_each_text(value, "payment_method", right, [&](const Value& item) {
      const auto adapter = parse_adapter(item.text);
      if (adapter && needs_payment_method(*adapter)) {
        when_.payment_methods.set(std::to_underlying(*adapter));
      } else {
        findings_.add(item.at, fmt::format("no merchant gives a payment_method for {}", quoted(item.text)),
                      right_name(item.text, adapters_with_method));
      }
    });
  }

  void read_weekday(const Value& value) {
    for_each_text(value, "weekday", "write a day, such as \"sat\"", [&](const Value& item) {
      if (const auto weekday = parse_weekday(item.text)) {
        when_.weekdays.set(*weekday);
      } else {
        findings_.add(item.at, fmt::format("{} is no weekday", quoted(item.text)),
                      "write mon, tue, wed, thu, fri, sat or sun");
      }
    });
  }

  void read_time(const Value& value) {
    constexpr std::string_view right = "write HH:MM-HH:MM in UTC, such as \"22:00-06:00\"";
    for_each_text(value, "time", right, [&](const Value& item) {
      if (const auto range = parse_time_range(item.text)) {
        when_.times.push_back(*range);
      } else {
        findings_.add(item.at, fmt::format("{} is no time of day", quoted(item.text)), std::string(right));
      }
    });
  }

  void read_metadata(const Value& value) {
    constexpr std::string_view right =
        "write metadata = { channel = \"web\", tier = [\"gold\", \"silver\"] }";
    if (!is_kind(Value::Kind::table, value, "metadata", right, findings_)) return;
    if (value.items.empty()) {
      findings_.add(value.at, "metadata names nothing", "leave it out, or name something");
    }
    for (const auto& member : value.items) {
      const auto what = fmt::format("metadata's {}", quoted(member.name));
      MetadataIs asked{.name = member.name, .values = {}};
      for_each_text(member, what, right, [&](const Value& item) { asked.values.push_back(item.text); });
      std::ranges::sort(asked.values);
      when_.metadata.push_back(std::move(asked));
    }
  }

  Findings& findings_;
  When when_;
};

}  // namespace

When read_when(const Value& value, Findings& findings) {
  if (!is_kind(Value::Kind::table, value, "when", "write when = { currency = \"EUR\" }", findings)) return {};
  check_members(value, "when", conditions_known, findings);
  return WhenReader(findings).read(value);
}

std::optional<unsigned> parse_weekday(std::string_view text) {
  const auto found = std::ranges::find(weekdays_known, text);
  if (found == weekdays_known.end()) return std::nullopt;
  return static_cast<unsigned>(found - weekdays_known.begin());
}

std::string_view weekday_name(unsigned weekday) {
  return weekdays_known.at(weekday);
}

std::optional<TimeRange> parse_time_range(std::string_view text) {
  if (text.size() != 11 || text[5] != '-') return std::nullopt;
  const auto from = parse_time(text.substr(0, 5));
  const auto to = parse_time(text.substr(6));
  // From a time to itself: nothing, or the whole day?
  if (!from || !to || *from == day_length || *from == *to) return std::nullopt;
  return TimeRange{*from, *to};
}

std::string to_string(const TimeRange& range) {
  const auto time = [](minutes at) { return fmt::format("{:02}:{:02}", at.count() / 60, at.count() % 60); };
  return time(range.from) + "-" + time(range.to);
}

}  // namespace switchyard::routing
