#include "core-api/transaction_json.hpp"

#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core-api/rfc3339.hpp"
#include "http/json.hpp"

namespace switchyard::core {
namespace {

void append_quoted(std::string& out, Timestamp time) {
  out += '"';
  append_time(out, time);
  out += '"';
}

void append_number(std::string& out, std::int64_t number) {
  const fmt::format_int text(number);
  out.append(text.data(), text.size());
}

void append_text(std::string& out, std::string_view name, std::string_view text) {
  out += name;
  out += http::json_string(text);
}

// What the merchant said of it; stored as it is shown.
void append_merchants_own(std::string& out, const payment::Transaction& transaction) {
  if (!transaction.reference.empty()) append_text(out, R"(,"reference":)", transaction.reference);
  if (!transaction.description.empty()) append_text(out, R"(,"description":)", transaction.description);
  if (transaction.metadata.empty()) return;
  out += R"(,"metadata":)";
  out += transaction.metadata;
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
  out += R"(","authorized_amount":)";
  append_number(out, transaction.authorized_minor);
  out += R"(,"captured_amount":)";
  append_number(out, transaction.captured_minor);
  out += R"(,"refunded_amount":)";
  append_number(out, transaction.refunded_minor);
  append_merchants_own(out, transaction);
  if (!transaction.reason.empty()) append_text(out, R"(,"reason":)", transaction.reason);
  out += R"(,"created_at":)";
  append_quoted(out, transaction.created_at);
  out += R"(,"updated_at":)";
  append_quoted(out, transaction.updated_at);
}

void append_reason(std::string& out, const payment::Reason& reason) {
  const auto kind = payment::to_string(reason.kind);
  if (reason.text().empty() && kind.empty()) return;
  out += R"(,"reason":{)";
  const auto first = out.size();
  for (const auto& [name, text] : {std::pair<std::string_view, std::string_view>(R"("code":)", reason.code),
                                   {R"("message":)", reason.message},
                                   {R"("kind":)", kind}}) {
    if (text.empty()) continue;
    if (out.size() > first) out += ',';
    append_text(out, name, text);
  }
  out += '}';
}

void append_optional_time(std::string& out, std::string_view name, const std::optional<Timestamp>& time) {
  if (!time) return;
  out += name;
  append_quoted(out, *time);
}

void append_operation_id(std::string& out, TransactionId id, std::int32_t number) {
  out += '"';
  out += id.value.to_string();
  out += '-';
  append_number(out, number);
  out += '"';
}

// What goes to the PSP, bytes and key, is left out.
void append_operation(std::string& out, TransactionId id, const payment::Operation& operation) {
  out += R"({"id":)";
  append_operation_id(out, id, operation.number);
  out += R"(,"number":)";
  append_number(out, operation.number);
  out += R"(,"kind":")";
  out += payment::to_string(operation.kind);
  out += R"(","amount":)";
  append_number(out, operation.amount.minor());
  if (operation.kind == payment::Kind::capture) {
    out += operation.is_final ? R"(,"final":true)" : R"(,"final":false)";
  }
  out += R"(,"status":")";
  out += payment::to_string(operation.phase);
  out += '"';
  if (operation.taken_back) out += R"(,"taken_back":true)";
  if (!operation.psp.empty()) append_text(out, R"(,"psp":)", operation.psp);
  if (!operation.psp_reference.empty()) append_text(out, R"(,"psp_reference":)", operation.psp_reference);
  append_reason(out, operation.reason);
  if (!operation.reference.empty()) append_text(out, R"(,"reference":)", operation.reference);
  if (!operation.note.empty()) append_text(out, R"(,"note":)", operation.note);
  out += R"(,"sends":)";
  append_number(out, operation.sends);
  out += R"(,"look_ups":)";
  append_number(out, operation.look_ups);
  out += R"(,"requested_at":)";
  append_quoted(out, operation.requested_at);
  append_optional_time(out, R"(,"sent_at":)", operation.sent_at);
  append_optional_time(out, R"(,"ended_at":)", operation.ended_at);
  out += '}';
}

// What a queued transaction stands for, before a worker makes it.
payment::Operation implied_authorization(const payment::Transaction& transaction) {
  return {.amount = transaction.amount, .requested_at = transaction.created_at};
}

}  // namespace

// What the customer has to do.
void append_next_action(std::string& out, const payment::State& state) {
  const auto* authorization = payment::find_authorization(state);
  if (authorization == nullptr || authorization->action_url.empty()) return;
  append_text(out, R"(,"next_action":{"type":"redirect","url":)", authorization->action_url);
  out += '}';
}

std::string to_json(const payment::Transaction& transaction) {
  std::string out;
  out.reserve(384);
  append_open(out, transaction);
  out += '}';
  return out;
}

std::string to_json(const payment::Transaction& transaction, std::int32_t number) {
  auto out = to_json(transaction);
  out.pop_back();
  out += R"(,"operation":)";
  append_operation_id(out, transaction.id, number);
  out += '}';
  return out;
}

std::string to_json_without_operations(const payment::State& state) {
  auto out = to_json(state.transaction);
  out.pop_back();
  append_next_action(out, state);
  out += '}';
  return out;
}

std::string to_json(const payment::State& state) {
  const auto& [transaction, operations] = state;
  std::string out;
  out.reserve(320 + 320 * std::max<std::size_t>(operations.size(), 1));
  append_open(out, transaction);
  append_next_action(out, state);
  out += R"(,"operations":[)";
  if (operations.empty()) append_operation(out, transaction.id, implied_authorization(transaction));
  for (const auto& operation : operations) {
    if (&operation != &operations.front()) out += ',';
    append_operation(out, transaction.id, operation);
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
