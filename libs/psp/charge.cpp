#include "psp/charge.hpp"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace switchyard::psp {
namespace {

using payment::Contradicted;
using payment::OutcomeUnknown;

struct Fact {
  std::string_view name;
  std::string_view said;
  std::string_view asked;
};

Contradicted contradicted(const ReportedCharge& charge, std::string reason) {
  return {.reason = std::move(reason), .psp_reference = charge.id};
}

LookUpResult widened(payment::Outcome outcome) {
  return std::visit([](auto& one) { return LookUpResult(std::move(one)); }, outcome);
}

}  // namespace

payment::Outcome believe(const ReportedCharge& charge, const AuthorizeRequest& asked) {
  const auto amount = std::to_string(asked.amount.minor());
  const std::array<Fact, 5> facts{{
      {"reference", charge.reference, asked.reference},
      {"idempotency key", charge.idempotency_key, asked.idempotency_key},
      {"amount", charge.amount, amount},
      {"currency", charge.currency, asked.amount.currency().code()},
      {"capture method", charge.capture_method, payment::to_string(asked.capture_method)},
  }};
  for (const auto& [name, said, wanted] : facts) {
    if (!said.empty() && said != wanted) {
      return contradicted(charge,
                          fmt::format("the PSP has a charge of {} {} and says {} {}, where {} was asked for",
                                      charge.amount, charge.currency, name, said, wanted));
    }
  }
  for (const auto& [name, said, wanted] : facts) {
    if (said.empty()) return OutcomeUnknown{fmt::format("the PSP's charge says nothing of its {}", name)};
  }
  if (charge.id.empty()) return OutcomeUnknown{"the PSP's charge has no id"};
  return charge.result;
}

LookUpResult believe(std::span<const ReportedCharge> charges, bool more, const AuthorizeRequest& asked) {
  const ReportedCharge* ours = nullptr;
  for (const auto& charge : charges) {
    const bool is_ours = charge.idempotency_key == asked.idempotency_key;
    if (!is_ours && (charge.reference != asked.reference || charge.idempotency_key.empty())) {
      return OutcomeUnknown{"the PSP's list of charges cannot be read"};
    }
    if (is_ours && ours != nullptr) return contradicted(charge, "the PSP lists two charges of one key");
    if (is_ours) ours = &charge;
  }
  for (const auto& charge : charges) {
    if (&charge == ours || !charge.is_approved()) continue;
    return contradicted(charge, fmt::format("the PSP lists an approved charge of {} {} under another key, {}",
                                            charge.amount, charge.currency, charge.idempotency_key));
  }
  if (ours != nullptr) return widened(believe(*ours, asked));
  if (more) return OutcomeUnknown{"the PSP lists only a part of its charges"};
  return payment::NoSuchCharge{};
}

}  // namespace switchyard::psp
