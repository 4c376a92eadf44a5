#include "psp/stripe/declines.hpp"

#include <algorithm>
#include <optional>
#include <span>

namespace switchyard::psp::stripe {
namespace {

using payment::ReasonKind;

std::optional<ReasonKind> kind_in(std::span<const CodeRow> table, std::string_view code) {
  const auto row = std::ranges::find(table, code, &CodeRow::code);
  if (row == table.end()) return std::nullopt;
  return row->kind;
}

ReasonKind kind_of(const ErrorWords& error) {
  if (const auto kind = kind_in(advice_table, error.advice_code)) return *kind;
  if (const auto kind = kind_in(decline_table, error.decline_code)) return *kind;
  // It says no more than that there is a decline code.
  const bool says_nothing = error.code == "card_declined" && !error.decline_code.empty();
  if (says_nothing) return ReasonKind::unknown;
  return kind_in(decline_table, error.code).value_or(ReasonKind::unknown);
}

}  // namespace

payment::Reason reason_of(const ErrorWords& error) {
  const auto& code = error.decline_code.empty() ? error.code : error.decline_code;
  return {.code = code.empty() ? error.type : code, .message = error.message, .kind = kind_of(error)};
}

payment::Reason reason_of(const Refund& refund) {
  if (refund.failure_reason.empty()) {
    return {.code = "refund_" + refund.status, .message = {}, .kind = ReasonKind::unknown};
  }
  return {.code = refund.failure_reason,
          .message = {},
          .kind = kind_in(refund_failure_table, refund.failure_reason).value_or(ReasonKind::unknown)};
}

}  // namespace switchyard::psp::stripe
