#include "psp-simulator/charge_json.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "http/characters.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "payment/fingerprint.hpp"
#include "service/request_body.hpp"

namespace switchyard::psp_simulator {
namespace {

using psp::simulator::Charge;
using psp::simulator::ChargeCount;
using service::text_member;

constexpr std::size_t reference_bytes_max = 64;
constexpr std::size_t key_bytes_max = 255;
constexpr std::int64_t amount_minor_max = 1'000'000'000'000'000;

// "items": one object after another.
template <class Items, class Append>
std::string list_json(const Items& items, Append append_item) {
  std::string json = R"({"items":[)";
  for (const auto& item : items) {
    if (&item != &items.front()) json += ',';
    append_item(json, item);
  }
  return json + ']';
}

}  // namespace

bool is_name(std::string_view text, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && std::ranges::all_of(text, [](char c) {
    return http::is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == ':';
  });
}

bool is_reference(std::string_view text) {
  return is_name(text, reference_bytes_max);
}

std::expected<Charge, http::Response> read_charge_request(const http::Request& request) {
  const auto wrong = [](std::string_view error) { return std::unexpected(http::problem(422, error)); };
  const auto key = request.header("Idempotency-Key");
  if (!is_name(key, key_bytes_max)) {
    return std::unexpected(http::problem(400, "Idempotency-Key is missing or malformed",
                                         "send 1 to 255 letters, digits and -._: as Idempotency-Key"));
  }
  const auto body = service::read_json_object(request, {});
  if (!body) return std::unexpected(body.error());
  const auto reference = text_member(*body, "reference");
  if (!reference || !is_reference(*reference))
    return wrong("reference must be 1 to 64 letters, digits and -._:");
  const auto* amount = body->if_contains("amount");
  if (amount == nullptr || !amount->is_int64() || amount->get_int64() < 1 ||
      amount->get_int64() > amount_minor_max) {
    return wrong("amount must be a whole number of minor units from 1 to 10^15");
  }
  const auto code = text_member(*body, "currency");
  const auto currency = code ? Currency::parse_stored(*code) : std::nullopt;
  if (!currency) return wrong("currency must be an ISO 4217 code");
  const auto method = text_member(*body, "capture_method");
  const auto capture_method = method ? payment::parse_capture_method(*method) : std::nullopt;
  if (!capture_method) return wrong("capture_method must be automatic or manual");
  return Charge{.reference = std::string(*reference),
                .idempotency_key = std::string(key),
                .amount = Money(amount->get_int64(), *currency),
                .capture_method = *capture_method,
                .code = {},
                .request_fingerprint = payment::fingerprint(request.body)};
}

// References, keys and codes are names: nothing in them needs an escape.
std::string to_json(const Charge& charge) {
  auto json = fmt::format(
      R"({{"id":"{}","reference":"{}","idempotency_key":"{}","amount":{},"currency":"{}","capture_method":"{}",)"
      R"("status":"{}")",
      charge.id(), charge.reference, charge.idempotency_key, charge.amount.minor(),
      charge.amount.currency().code(), payment::to_string(charge.capture_method),
      charge.approved ? "approved" : "declined");
  if (!charge.approved) {
    fmt::format_to(std::back_inserter(json), R"(,"code":"{}","decline_kind":"{}")", charge.code,
                   psp::simulator::is_soft_decline(charge.code) ? "soft" : "hard");
  }
  return json + '}';
}

std::string to_json(const std::vector<Charge>& charges, bool more) {
  const auto items = list_json(charges, [](std::string& json, const Charge& item) { json += to_json(item); });
  return fmt::format(R"({},"more":{}}})", items, more);
}

std::string to_json(const std::vector<ChargeCount>& counts, bool more) {
  const auto items = list_json(counts, [](std::string& json, const ChargeCount& item) {
    fmt::format_to(std::back_inserter(json), R"({{"reference":"{}","charges":{},"approved":{}}})",
                   item.reference, item.charges, item.approved);
  });
  return fmt::format(R"({},"next":{}}})", items, more ? http::json_string(counts.back().reference) : "null");
}

}  // namespace switchyard::psp_simulator
