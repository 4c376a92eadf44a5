#include "switchyard/transaction_text.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "money/money.hpp"
#include "money/printable.hpp"
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

void print_operation(const json::object& operation, const std::optional<Currency>& currency) {
  const auto psp = printable(text_of(operation, "psp"));
  fmt::print("    operation {}: {} {}{}: {}{}\n", operation.at("number").as_int64(),
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
  for (const auto& operation : operations->get_array()) print_operation(operation.as_object(), currency);
}

}  // namespace switchyard::cli
