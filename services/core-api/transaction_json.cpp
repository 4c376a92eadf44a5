#include "core-api/transaction_json.hpp"

#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "http/json.hpp"

namespace switchyard::core {
namespace {

void append_time(std::string& out, Timestamp time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  // As a time_t: the clock's nanoseconds end in the years 1677 and 2262.
  fmt::format_to(std::back_inserter(out), R"("{:%Y-%m-%dT%H:%M:%S}.{:03}Z")",
                 fmt::gmtime(std::time_t{seconds.time_since_epoch().count()}), (time - seconds).count());
}

// Without the closing brace.
void append_open(std::string& out, const payment::Transaction& transaction) {
  fmt::format_to(
      std::back_inserter(out),
      R"({{"amount":{},"currency":"{}","user_id":{},"id":"{}","status":"{}","captured_amount":{},"refunded_amount":{})",
      transaction.amount.minor(), transaction.amount.currency().code(), transaction.merchant_id.value,
      transaction.id.value.to_string(), payment::to_string(transaction.status), transaction.captured_minor,
      transaction.refunded_minor);
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
