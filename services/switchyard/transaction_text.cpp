#include "switchyard/transaction_text.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "money/money.hpp"
#include "money/printable.hpp"
#include "service/program.hpp"
#include "switchyard/replies.hpp"

namespace switchyard::cli {
namespace {

namespace json = boost::json;

std::string money_text(std::int64_t minor, const std::optional<Currency>& currency) {
  return currency ? Money(minor, *currency).to_string() : fmt::format("{}", minor);
}

// In brackets, if there is anything to say.
std::string reason_text(const json::object& operation) {
  const auto* reason = operation.if_contains("reason");
  if (reason == nullptr || !reason->is_object()) return {};
  const auto& words = reason->get_object();
  std::string text = printable(text_of(words, "message"));
  if (const auto code = printable(text_of(words, "code")); !code.empty()) {
    text += (text.empty() ? "code " : ", code ") + code;
  }
  return text.empty() ? text : "  (" + text + ")";
}

std::string operation_text(const json::object& operation, const std::optional<Currency>& currency) {
  const auto psp = printable(text_of(operation, "psp"));
  return fmt::format("operation {}: {} {}{}: {}{}", operation.at("number").as_int64(),
                     text_of(operation, "kind"), money_text(operation.at("amount").as_int64(), currency),
                     psp.empty() ? "" : " at " + psp, text_of(operation, "status"), reason_text(operation));
}

}  // namespace

void print_transaction(const Context& context, const json::value& transaction) {
  if (context.json) {
    fmt::print("{}\n", json::serialize(transaction));
    return;
  }
  const auto& object = transaction.as_object();
  const auto currency = Currency::parse_stored(text_of(object, "currency"));
  const auto reason = text_of(object, "reason");
  const auto reference = printable(text_of(object, "reference"));
  fmt::print("{}  {:<18} {:>16}  {}{}{}\n", text_of(object, "id"), text_of(object, "status"),
             money_text(object.at("amount").as_int64(), currency), text_of(object, "created_at"),
             reference.empty() ? "" : "  " + reference, reason.empty() ? "" : "  (" + reason + ")");
  const auto* operations = object.if_contains("operations");
  if (operations == nullptr || !operations->is_array()) return;
  for (const auto& operation : operations->get_array()) {
    fmt::print("    {}\n", operation_text(operation.as_object(), currency));
  }
}

std::string bad_end_of(const json::value& transaction, const std::string& operation_id) {
  constexpr std::array<std::string_view, 4> bad_ends{"declined", "rejected", "failed", "manual_review"};
  const auto& object = transaction.as_object();
  for (const auto& value : object.at("operations").as_array()) {
    const auto& operation = value.as_object();
    if (text_of(operation, "id") != operation_id) continue;
    if (std::ranges::find(bad_ends, text_of(operation, "status")) == bad_ends.end()) return {};
    return operation_text(operation, Currency::parse_stored(text_of(object, "currency")));
  }
  return {};
}

void tell_what_was_done(const std::string& done, const std::function<void()>& tell) {
  // A reader that has gone is an error of the write, then, and not the end without a word.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    tell();
    service::finish_output();
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{}; but {}; do not send it again", error.what(), done));
  }
}

}  // namespace switchyard::cli
