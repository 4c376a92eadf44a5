#include "store/psp_event_row.hpp"

#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace switchyard::store {
namespace {

using payment::Notice;

constexpr std::string_view word_succeeded = "succeeded";
constexpr std::string_view word_declined = "declined";
constexpr std::string_view word_ask_again = "ask_again";
constexpr std::string_view word_happened = "happened";
constexpr std::string_view word_try_failed = "try_failed";
constexpr std::string_view word_came_to_nothing = "came_to_nothing";
constexpr std::string_view word_taken_back = "taken_back";
constexpr std::string_view word_charged_back = "charged_back";
constexpr std::string_view word_attention = "attention";
constexpr std::string_view word_hold_expired = "hold_expired";
constexpr std::string_view word_ignored = "ignored";

// Writes an alternative into the columns that are its own.
struct PutWhat {
  PspEventRow& row;

  void operator()(const payment::Succeeded& succeeded) const {
    row.what = word_succeeded;
    row.what_reference = succeeded.psp_reference;
    put(succeeded.amount);
  }
  void operator()(const payment::Declined& declined) const {
    row.what = word_declined;
    row.what_reference = declined.psp_reference;
    row.reason = declined.reason;
    put(declined.amount);
  }
  void operator()(const payment::AskAgain&) const { row.what = word_ask_again; }
  void operator()(const payment::Happened&) const { row.what = word_happened; }
  void operator()(const payment::TryFailed& failed) const {
    row.what = word_try_failed;
    row.reason.message = failed.reason;
  }
  void operator()(const payment::CameToNothing& nothing) const {
    row.what = word_came_to_nothing;
    row.reason.message = nothing.reason;
  }
  void operator()(const payment::TakenBack& taken_back) const {
    row.what = word_taken_back;
    row.reason.message = taken_back.reason;
    put(taken_back.amount);
  }
  void operator()(const payment::ChargedBack& charged_back) const {
    row.what = word_charged_back;
    row.reason.message = charged_back.reason;
    put(charged_back.amount);
  }
  void operator()(const payment::Attention& attention) const {
    row.what = word_attention;
    row.reason.message = attention.reason;
  }
  void operator()(const payment::HoldExpired& expired) const {
    row.what = word_hold_expired;
    row.reason.message = expired.reason;
  }
  void operator()(const payment::Ignored&) const { row.what = word_ignored; }

  void put(const std::optional<Money>& amount) const {
    if (!amount) return;
    row.amount_minor = amount->minor();
    row.currency = amount->currency().code();
  }
};

std::unexpected<std::string> no_such(std::string_view what, std::string_view word) {
  return std::unexpected(fmt::format("this version knows no {} \"{}\"", what, word.substr(0, 32)));
}

// Moves out of the row what the alternative needs.
Readable<Notice::What> take_what(PspEventRow& row, std::optional<Money> amount) {
  if (row.what == word_succeeded) {
    if (!amount) return std::unexpected("it succeeded with no amount");
    return payment::Succeeded{std::move(row.what_reference), *amount};
  }
  if (row.what == word_declined) {
    return payment::Declined{std::move(row.reason), std::move(row.what_reference), amount};
  }
  if (row.what == word_ask_again) return payment::AskAgain();
  if (row.what == word_happened) return payment::Happened();
  if (row.what == word_try_failed) return payment::TryFailed{std::move(row.reason.message)};
  if (row.what == word_came_to_nothing) return payment::CameToNothing{std::move(row.reason.message)};
  if (row.what == word_taken_back) return payment::TakenBack{std::move(row.reason.message), amount};
  if (row.what == word_charged_back) return payment::ChargedBack{std::move(row.reason.message), amount};
  if (row.what == word_attention) return payment::Attention{std::move(row.reason.message)};
  if (row.what == word_hold_expired) return payment::HoldExpired{std::move(row.reason.message)};
  if (row.what == word_ignored) return payment::Ignored();
  return no_such("kind of event", row.what);
}

}  // namespace

PspEventRow row_of(const PspEvent& event) {
  const auto& notice = event.notice;
  PspEventRow row{.account = event.account,
                  .event = notice.event,
                  .type = notice.type,
                  .reference = notice.reference,
                  .idempotency_key = notice.idempotency_key,
                  .psp_reference = notice.psp_reference,
                  .payment = notice.payment,
                  .kind = std::string(notice.kind ? to_string(*notice.kind) : ""),
                  .what = {},
                  .what_reference = {},
                  .currency = {},
                  .received_at = event.received_at,
                  .due_at = event.due_at,
                  .tries = event.tries,
                  .result = event.result};
  std::visit(PutWhat{row}, notice.what);
  return row;
}

Readable<PspEvent> event_of(PspEventRow row) {
  std::optional<payment::Kind> kind;
  if (!row.kind.empty()) {
    kind = payment::parse_kind(row.kind);
    if (!kind) return no_such("kind of operation", row.kind);
  }
  std::optional<Money> amount;
  if (!row.currency.empty()) {
    const auto currency = Currency::parse_stored(row.currency);
    if (!currency) return no_such("currency", row.currency);
    amount.emplace(row.amount_minor, *currency);
  }
  auto what = take_what(row, amount);
  if (!what) return std::unexpected(std::move(what.error()));
  return PspEvent{.account = std::move(row.account),
                  .notice = {.event = std::move(row.event),
                             .type = std::move(row.type),
                             .reference = std::move(row.reference),
                             .idempotency_key = std::move(row.idempotency_key),
                             .psp_reference = std::move(row.psp_reference),
                             .payment = std::move(row.payment),
                             .kind = kind,
                             .what = std::move(*what)},
                  .received_at = row.received_at,
                  .due_at = row.due_at,
                  .tries = row.tries,
                  .result = std::move(row.result)};
}

}  // namespace switchyard::store
