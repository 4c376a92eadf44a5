#include "psp-simulator/charge_json.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/assert.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "payment/fingerprint.hpp"
#include "service/request_body.hpp"

namespace switchyard::psp_simulator {
namespace {

using psp::simulator::Charge;
using psp::simulator::ChargeCount;
using psp::simulator::ListedCharge;
using psp::simulator::Operation;
using psp::simulator::Outcome;
using psp::simulator::Status;
using service::text_member;

constexpr std::size_t reference_bytes_max = 64;
constexpr std::size_t key_bytes_max = 255;
constexpr std::int64_t amount_minor_max = 1'000'000'000'000'000;

template <class Items, class Append>
std::string array_json(const Items& items, Append append_item) {
  std::string json = "[";
  for (const auto& item : items) {
    if (&item != &items.front()) json += ',';
    append_item(json, item);
  }
  return json + ']';
}

// {"items": [...], without the brace at the end.
template <class Items, class Append>
std::string list_json(const Items& items, Append append_item) {
  return R"({"items":)" + array_json(items, append_item);
}

std::unexpected<http::Response> wrong(std::string_view error) {
  return std::unexpected(http::problem(422, error));
}

std::expected<std::string_view, http::Response> read_key(const http::Request& request) {
  const auto key = request.header("Idempotency-Key");
  if (is_key(key)) return key;
  return std::unexpected(http::problem(400, "Idempotency-Key is missing or malformed",
                                       "send 1 to 255 letters, digits and -._: as Idempotency-Key"));
}

// The members of `kind`; an authorization is a charge.
std::span<const std::string_view> members_known(payment::Kind kind) {
  static constexpr std::array<std::string_view, 4> of_charge{"reference", "amount", "currency",
                                                             "capture_method"};
  static constexpr std::array<std::string_view, 3> of_capture{"amount", "currency", "final"};
  switch (kind) {
    case payment::Kind::authorize:
      return of_charge;
    case payment::Kind::capture:
      return of_capture;
    case payment::Kind::void_:
      return {};
    case payment::Kind::refund:
      return std::span(of_capture).first(2);
  }
  SWITCHYARD_ASSERT(false);
}

// As JSON, with no other members than those that are known.
std::expected<boost::json::object, http::Response> read_body(const http::Request& request,
                                                             payment::Kind kind) {
  auto body = service::read_json_object(request, {});
  if (!body) return body;
  if (auto known = service::refuse_unknown_members(*body, members_known(kind)); !known) {
    return std::unexpected(std::move(known.error()));
  }
  return body;
}

std::expected<Money, http::Response> read_amount(const boost::json::object& body) {
  const auto* amount = body.if_contains("amount");
  if (amount == nullptr || !amount->is_int64() || amount->get_int64() < 1 ||
      amount->get_int64() > amount_minor_max) {
    return wrong("amount must be a whole number of minor units from 1 to 10^15");
  }
  const auto code = text_member(body, "currency");
  const auto currency = code ? Currency::parse_stored(*code) : std::nullopt;
  if (!currency) return wrong("currency must be an ISO 4217 code");
  return Money(amount->get_int64(), *currency);
}

std::string members_of(const Outcome& outcome, std::string_view success) {
  if (outcome.status == Status::succeeded) return fmt::format(R"("status":"{}")", success);
  if (outcome.status == Status::pending) return R"("status":"pending")";
  // Whether a PSP's own word is hard or soft, its client decides.
  if (psp::simulator::words_of(outcome.code).empty()) {
    return fmt::format(R"("status":"declined","code":"{}")", outcome.code);
  }
  return fmt::format(R"("status":"declined","code":"{}","decline_kind":"{}")", outcome.code,
                     psp::simulator::is_soft_decline(outcome.code) ? "soft" : "hard");
}

std::string members_of(const Charge& charge) {
  const auto psp = charge.psp.empty() ? std::string() : fmt::format(R"("psp":"{}",)", charge.psp);
  return fmt::format(R"({{"id":"{}",{}"reference":"{}","idempotency_key":"{}","amount":{},"currency":"{}",)"
                     R"("capture_method":"{}",)",
                     charge.id(), psp, charge.reference, charge.idempotency_key, charge.amount.minor(),
                     charge.amount.currency().code(), payment::to_string(charge.capture_method)) +
         members_of(charge.outcome, "approved");
}

}  // namespace

bool is_name(std::string_view text, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && std::ranges::all_of(text, [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == ':';
  });
}

bool is_reference(std::string_view text) {
  return is_name(text, reference_bytes_max);
}

bool is_key(std::string_view text) {
  return is_name(text, key_bytes_max);
}

std::expected<Charge, http::Response> read_charge_request(const http::Request& request) {
  const auto key = read_key(request);
  if (!key) return std::unexpected(key.error());
  const auto body = read_body(request, payment::Kind::authorize);
  if (!body) return std::unexpected(body.error());
  const auto reference = text_member(*body, "reference");
  if (!reference || !is_reference(*reference))
    return wrong("reference must be 1 to 64 letters, digits and -._:");
  const auto amount = read_amount(*body);
  if (!amount) return std::unexpected(amount.error());
  const auto method = text_member(*body, "capture_method");
  const auto capture_method = method ? payment::parse_capture_method(*method) : std::nullopt;
  if (!capture_method) return wrong("capture_method must be automatic or manual");
  return Charge{.reference = std::string(*reference),
                .idempotency_key = std::string(*key),
                .amount = *amount,
                .capture_method = *capture_method,
                .request_fingerprint = payment::fingerprint(request.body)};
}

std::expected<Operation, http::Response> read_operation_request(const http::Request& request,
                                                                payment::Kind kind) {
  const auto charge_key = psp::simulator::key_of_charge(request.parameter);
  if (!is_key(charge_key)) return std::unexpected(http::problem(404, "No such charge"));
  const auto key = read_key(request);
  if (!key) return std::unexpected(key.error());
  const auto body = read_body(request, kind);
  if (!body) return std::unexpected(body.error());
  Operation operation{.kind = kind,
                      .reference = {},
                      .charge_key = std::string(charge_key),
                      .idempotency_key = std::string(*key),
                      .amount = Money(0, *Currency::parse("USD")),
                      .request_fingerprint = payment::fingerprint(
                          fmt::format("{}\n{}\n{}", payment::to_string(kind), charge_key, request.body))};
  if (kind == payment::Kind::void_) return operation;
  const auto amount = read_amount(*body);
  if (!amount) return std::unexpected(amount.error());
  operation.amount = *amount;
  if (const auto* final_member = body->if_contains("final"); final_member != nullptr) {
    if (!final_member->is_bool()) return wrong("final must be true or false");
    operation.is_final = final_member->get_bool();
  }
  return operation;
}

// References, keys and codes are names: nothing in them needs an escape.
std::string to_json(const Charge& charge) {
  return members_of(charge) + '}';
}

std::string to_json(const Operation& operation) {
  return fmt::format(
             R"({{"id":"{}","kind":"{}","charge":"{}","reference":"{}","idempotency_key":"{}","amount":{},)"
             R"("currency":"{}",)",
             operation.id(), payment::to_string(operation.kind), operation.charge_id(), operation.reference,
             operation.idempotency_key, operation.amount.minor(), operation.amount.currency().code()) +
         members_of(operation.outcome, "succeeded") + '}';
}

std::string to_json(const std::vector<ListedCharge>& charges, bool more) {
  const auto items = list_json(charges, [](std::string& json, const ListedCharge& item) {
    const auto& charge = item.charge;
    json += members_of(charge);
    fmt::format_to(std::back_inserter(json), R"(,"held":{},"captured":{},"refunded":{},"voided":{},)",
                   charge.held_minor(), charge.captured_minor, charge.refunded_minor, charge.voided_minor);
    json += R"("operations":)" + array_json(item.operations, [](std::string& text, const Operation& each) {
              text += to_json(each);
            });
    json += fmt::format(R"(,"operations_more":{}}})", item.more);
  });
  return fmt::format(R"({},"more":{}}})", items, more);
}

std::string to_json(const std::optional<Operation>& operation) {
  return fmt::format(R"({{"items":[{}],"more":false}})", operation ? to_json(*operation) : "");
}

std::string to_json(const std::vector<ChargeCount>& counts, bool more) {
  const auto items = list_json(counts, [](std::string& json, const ChargeCount& item) {
    fmt::format_to(
        std::back_inserter(json),
        R"({{"reference":"{}","charges":{},"approved":{},"captured":{},"refunded":{},"voided":{}}})",
        item.reference, item.charges, item.approved, item.captured_minor, item.refunded_minor,
        item.voided_minor);
  });
  return fmt::format(R"({},"next":{}}})", items, more ? http::json_string(counts.back().reference) : "null");
}

}  // namespace switchyard::psp_simulator
