#include "core-api/transaction_json.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <ranges>

#include <fmt/format.h>

#include "http/json.hpp"

namespace switchyard::core {
namespace {

// With so many digits.
template <std::size_t digits>
void append_padded(std::string& out, std::int64_t number) {
  std::array<char, digits> text;
  for (auto& digit : text | std::views::reverse) {
    digit = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  out.append(text.data(), text.size());
}

// RFC 3339, which has years of four digits: a time beyond is the nearest of them.
void append_time(std::string& out, Timestamp time) {
  constexpr std::chrono::sys_days first = std::chrono::year(0) / 1 / 1;
  constexpr std::chrono::sys_days end = std::chrono::year(10'000) / 1 / 1;
  time = std::clamp<Timestamp>(time, first, end - std::chrono::milliseconds(1));
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  out += '"';
  append_padded<4>(out, static_cast<int>(date.year()));
  out += '-';
  append_padded<2>(out, static_cast<unsigned>(date.month()));
  out += '-';
  append_padded<2>(out, static_cast<unsigned>(date.day()));
  out += 'T';
  append_padded<2>(out, clock.hours().count());
  out += ':';
  append_padded<2>(out, clock.minutes().count());
  out += ':';
  append_padded<2>(out, clock.seconds().count());
  out += '.';
  append_padded<3>(out, std::chrono::duration_cast<std::chrono::milliseconds>(clock.subseconds()).count());
  out += "Z\"";
}

void append_number(std::string& out, std::int64_t number) {
  const fmt::format_int text(number);
  out.append(text.data(), text.size());
}

// Without the closing brace. Put together by hand: this is in each reply, and fmt took five times as long.
void append_open(std::string& out, const payment::Transaction& transaction) {
  out += R"({"amount":)";
  append_number(out, transaction.amount.minor());
  out += R"(,"currency":")";
  out += transaction.amount.currency().code();
  out += R"(","user_id":)";
  append_number(out, transaction.merchant_id.value);
  out += R"(,"id":")";
  out += transaction.id.value.to_string();
  out += R"(","status":")";
  out += payment::to_string(transaction.status);
  out += R"(","captured_amount":)";
  append_number(out, transaction.captured_minor);
  out += R"(,"refunded_amount":)";
  append_number(out, transaction.refunded_minor);
  if (!transaction.reason.empty()) {
    out += R"(,"reason":)";
    out += http::json_string(transaction.reason);
  }
  out += R"(,"created_at":)";
  append_time(out, transaction.created_at);
  out += R"(,"updated_at":)";
  append_time(out, transaction.updated_at);
}

void append_attempt(std::string& out, const payment::Attempt& attempt) {
  fmt::format_to(std::back_inserter(out), R"({{"number":{},"psp":{},"status":"{}")", attempt.number,
                 http::json_string(attempt.psp), payment::to_string(attempt.status));
  if (!attempt.psp_reference.empty()) {
    out += R"(,"psp_reference":)";
    out += http::json_string(attempt.psp_reference);
  }
  if (!attempt.reason.empty()) {
    out += R"(,"reason":)";
    out += http::json_string(attempt.reason);
  }
  fmt::format_to(std::back_inserter(out), R"(,"look_ups":{},"started_at":)", attempt.look_ups);
  append_time(out, attempt.started_at);
  if (attempt.ended_at) {
    out += R"(,"ended_at":)";
    append_time(out, *attempt.ended_at);
  }
  out += '}';
}

}  // namespace

std::string to_json(const payment::Transaction& transaction) {
  std::string out;
  out.reserve(320);
  append_open(out, transaction);
  out += '}';
  return out;
}

std::string to_json(const store::TransactionWithAttempts& found) {
  std::string out;
  append_open(out, found.transaction);
  out += R"(,"attempts":[)";
  for (const auto& attempt : found.attempts) {
    if (&attempt != &found.attempts.front()) out += ',';
    append_attempt(out, attempt);
  }
  out += "]}";
  return out;
}

std::string to_json(const store::TransactionPage& page) {
  std::string out = R"({"items":[)";
  for (const auto& transaction : page.items) {
    if (&transaction != &page.items.front()) out += ',';
    out += to_json(transaction);
  }
  out += R"(],"next_cursor":)";
  out += page.next ? http::json_string(page.next->value.to_string()) : "null";
  out += '}';
  return out;
}

}  // namespace switchyard::core
