#include "psp/simulator/report.hpp"

#include <charconv>
#include <expected>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "psp/simulator/outcomes.hpp"
#include "psp/simulator/requests.hpp"

namespace switchyard::psp::simulator {
namespace {

using payment::Contradicted;
using payment::Kind;
using payment::OutcomeUnknown;

struct Fact {
  std::string_view name;
  std::string_view said;
  std::string asked;
};

std::string_view noun_of(Kind kind) {
  return kind == Kind::authorize ? "charge" : payment::to_string(kind);
}

std::vector<Fact> facts_of(const Report& report, const payment::Step& step) {
  const auto& operation = step.operation();
  const auto& transaction = step.state.transaction;
  std::vector<Fact> facts{{"reference", report.reference, psp_reference(transaction)},
                          {"idempotency key", report.idempotency_key, operation.idempotency_key}};
  if (operation.kind == Kind::authorize) {
    facts.push_back({"capture method", report.capture_method,
                     std::string(payment::to_string(transaction.capture_method))});
  } else {
    facts.push_back({"kind", report.kind, std::string(payment::to_string(operation.kind))});
    facts.push_back({"charge", report.charge, charge_id_of(step.state)});
  }
  return facts;
}

// The amount that the PSP speaks of. It contradicts where it is a number that is no amount of a currency,
// and is unknown where it is no number.
std::expected<Money, Belief> read_amount(const Report& report, const payment::Operation& operation) {
  const auto& words = report.amount;
  for (const auto& [name, said] : {std::pair{"amount", words}, {"currency", report.currency}}) {
    if (said.empty()) {
      return std::unexpected(
          OutcomeUnknown{fmt::format("the PSP's {} says nothing of its {}", noun_of(operation.kind), name)});
    }
  }
  const bool is_number = words.front() == '-' || is_digit(words.front());
  if (!is_number) {
    return std::unexpected(
        OutcomeUnknown{fmt::format("the amount of the PSP's {} cannot be read", noun_of(operation.kind))});
  }
  std::int64_t minor = 0;
  const auto [end, error] = std::from_chars(words.data(), words.data() + words.size(), minor);
  const auto currency = Currency::parse_stored(report.currency);
  if (error != std::errc() || end != words.data() + words.size() || !currency) {
    return std::unexpected(
        Contradicted{fmt::format("the PSP speaks of {} {}, where {} {} was asked for", words, report.currency,
                                 operation.amount.minor(), operation.amount.currency().code()),
                     report.id});
  }
  return Money(minor, *currency);
}

Belief read_status(const Report& report, const payment::Operation& operation, Money amount) {
  const auto success = operation.kind == Kind::authorize ? "approved" : "succeeded";
  if (report.status == success) return payment::Succeeded{report.id, amount};
  if (report.status == "pending") return payment::Pending{report.id, amount};
  const bool is_soft = report.decline_kind == "soft";
  if (report.status != "declined" || report.code.empty() || (!is_soft && report.decline_kind != "hard")) {
    return OutcomeUnknown{
        fmt::format("the PSP's {} is neither {}, declined nor pending", noun_of(operation.kind), success)};
  }
  payment::Declined declined{
      .reason = {.code = report.code,
                 .message = std::string(words_of(report.code)),
                 .kind = is_soft ? payment::ReasonKind::soft_decline : payment::ReasonKind::hard_decline},
      .psp_reference = report.id,
      .amount = amount};
  // What the charge did not allow was of no amount.
  if (operation.kind != Kind::authorize && is_refusal(report.code)) declined.amount.reset();
  return declined;
}

bool may_have_money(const Report& report) {
  return report.status != "declined";
}

}  // namespace

Belief believe(const Report& report, const payment::Step& step) {
  const auto& operation = step.operation();
  const auto facts = facts_of(report, step);
  for (const auto& [name, said, asked] : facts) {
    if (!said.empty() && said != asked) {
      return Contradicted{
          fmt::format("the PSP has a {} of {} {} and says {} {}, where {} was asked for",
                      noun_of(operation.kind), report.amount, report.currency, name, said, asked),
          report.id};
    }
  }
  for (const auto& [name, said, asked] : facts) {
    if (said.empty()) {
      return OutcomeUnknown{
          fmt::format("the PSP's {} says nothing of its {}", noun_of(operation.kind), name)};
    }
  }
  if (report.id.empty())
    return OutcomeUnknown{fmt::format("the PSP's {} has no id", noun_of(operation.kind))};
  auto amount = read_amount(report, operation);
  if (!amount) return std::move(amount.error());
  return read_status(report, operation, *amount);
}

payment::Found believe(std::span<const Report> reports, bool more, const payment::Step& step) {
  const auto& operation = step.operation();
  const auto reference = psp_reference(step.state.transaction);
  const Report* ours = nullptr;
  for (const auto& report : reports) {
    const bool is_ours = report.idempotency_key == operation.idempotency_key;
    // Of a reference there may be charges under other keys, of a key nothing under another.
    const bool is_possible =
        operation.kind == Kind::authorize && report.reference == reference && !report.idempotency_key.empty();
    if (!is_ours && !is_possible) return OutcomeUnknown{"the PSP's list cannot be read"};
    if (is_ours && ours != nullptr) {
      return Contradicted{fmt::format("the PSP lists two {}s of one key", noun_of(operation.kind)),
                          report.id};
    }
    if (is_ours) ours = &report;
  }
  for (const auto& report : reports) {
    if (&report == ours || !may_have_money(report)) continue;
    return Contradicted{fmt::format("the PSP lists a charge of {} {} that is {} under another key, {}",
                                    report.amount, report.currency, report.status, report.idempotency_key),
                        report.id};
  }
  if (ours != nullptr) return widened<payment::Found>(believe(*ours, step));
  if (more) return OutcomeUnknown{"the PSP lists only a part of what it has"};
  return payment::NoSuchOperation{};
}

}  // namespace switchyard::psp::simulator
