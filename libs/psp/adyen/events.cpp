#include "psp/adyen/events.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/json.hpp"
#include "psp/adyen/amounts.hpp"
#include "psp/adyen/event_codes.hpp"
#include "psp/adyen/event_item.hpp"
#include "psp/adyen/names.hpp"
#include "token/base64url.hpp"

namespace switchyard::psp::adyen {
namespace {

namespace json = boost::json;

// Adyen sends one item in a request; an item has some 40 members with everything enabled.
constexpr std::size_t items_max = 64;
constexpr http::JsonBounds event_bounds{.values_max = 16'384, .members_per_object_max = 256};

std::unexpected<EventRefusal> unreadable(std::string reason) {
  return std::unexpected(EventRefusal{.is_signature = false, .reason = std::move(reason)});
}

// Standard base64 of 32 bytes: 43 characters and one that fills up. Nothing for any other text.
std::optional<std::string> decode_signature(std::string_view base64) {
  constexpr std::size_t characters = 44;
  const bool is_possible = base64.size() == characters && base64.back() == '=' &&
                           base64.find_first_of("-_") == std::string_view::npos;
  if (!is_possible) return std::nullopt;
  std::string in_other_alphabet(base64.substr(0, characters - 1));
  std::ranges::replace(in_other_alphabet, '+', '-');
  std::ranges::replace(in_other_alphabet, '/', '_');
  return token::base64url_decode(in_other_alphabet);
}

// --- What an item means ------------------------------------------------------------------------

Notice::What result_of(const EventItem& item, const EventCode& code, const std::optional<Money>& amount) {
  if (item.is_success()) {
    if (!amount) return payment::Attention{fmt::format("{} says nothing of its amount", item.event_code)};
    return payment::Succeeded{item.psp_reference, *amount};
  }
  // Its kind would decide what is tried next, and the text is not signed. What is not possible with a payment
  // as it is will not be, either.
  const bool is_payment = code.kind == payment::Kind::authorize;
  return payment::Declined{
      .reason = {.code = {},
                 .message =
                     item.reason.empty() ? fmt::format("Adyen refused: {}", item.event_code) : item.reason,
                 .kind = is_payment ? payment::ReasonKind::unknown : payment::ReasonKind::hard_decline},
      .psp_reference = item.psp_reference,
      .amount = amount};
}

std::string words_of(const EventItem& item, const EventCode& code, const std::optional<Money>& amount) {
  std::string words(code.words);
  if (amount) words += fmt::format(", {}", amount->to_string());
  if (!item.is_success()) words += ", success false";
  if (!item.reason.empty()) words += ": " + item.reason;
  return words;
}

Notice::What what_of(const EventItem& item, const EventCode* code) {
  const auto meaning = meaning_of(code);
  if (meaning == EventMeaning::ignored) return payment::Ignored{};
  std::optional<Money> amount;
  if (item.amount) amount = from_adyen(item.amount->value, item.amount->currency);
  if (item.amount && !amount) {
    return payment::Attention{fmt::format("{} of {} in Adyen's minor units, which is no amount of ours",
                                          item.event_code, to_string(*item.amount))};
  }
  if (meaning == EventMeaning::result) return result_of(item, *code, amount);
  auto words = words_of(item, *code, amount);
  // Adyen does not say what it would mean that one of these has no success.
  const bool is_taken_back = meaning == EventMeaning::taken_back && item.is_success();
  if (is_taken_back) return payment::TakenBack{std::move(words), amount};
  if (meaning == EventMeaning::expired) return payment::HoldExpired{std::move(words)};
  const bool is_charged_back = meaning == EventMeaning::charged_back && item.is_success();
  if (is_charged_back) return payment::ChargedBack{std::move(words), amount};
  return payment::Attention{std::move(words)};
}

Notice notice_of(const EventItem& item) {
  const auto* code = find_event_code(item.event_code);
  auto named = read_reference(item.merchant_reference);
  // What is none of ours must not be taken for nothing.
  if (named.idempotency_key.empty()) named.idempotency_key = item.merchant_reference;
  const auto& payment = item.original_reference.empty() ? item.psp_reference : item.original_reference;
  return {.event = fmt::format("{}:{}:{}", item.psp_reference, item.event_code, item.success),
          .type = item.event_code,
          .reference = std::move(named.transaction_reference),
          .idempotency_key = std::move(named.idempotency_key),
          .psp_reference = item.psp_reference,
          .payment = payment,
          .kind = code == nullptr ? std::nullopt : code->kind,
          .what = what_of(item, code)};
}

// --- The request -------------------------------------------------------------------------------

struct Request {
  std::string live;
  std::vector<EventItem> items;
};

std::expected<Request, EventRefusal> read_request(std::string_view body) {
  if (body.size() > webhook_bytes_max) return unreadable("the request is too large for an event of Adyen");
  const auto value = http::read_json(body, event_bounds);
  const auto* object = value ? value->if_object() : nullptr;
  if (object == nullptr) return unreadable("the request is no JSON object");
  Request request{.live = Members(*object).flag("live"), .items = {}};
  const auto* list = object->if_contains("notificationItems");
  const auto* wrapped = list == nullptr ? nullptr : list->if_array();
  if (wrapped == nullptr || wrapped->empty()) return unreadable("the request has no notificationItems");
  if (wrapped->size() > items_max) return unreadable("the request has too many notificationItems");
  for (const auto& one : *wrapped) {
    auto item = read_item(one);
    if (!item) return unreadable("an item of the request cannot be read");
    request.items.push_back(*std::move(item));
  }
  return request;
}

}  // namespace

EventReader::EventReader(const WebhookSettings& settings)
    : merchant_account_(settings.merchant_account), is_live_(settings.is_live) {
  SWITCHYARD_ASSERT(problem_of(settings).empty());
  keys_.emplace_back(hmac_key_bytes(settings.hmac_key));
  if (!settings.hmac_key_previous.empty()) keys_.emplace_back(hmac_key_bytes(settings.hmac_key_previous));
}

bool EventReader::is_signed(std::string_view text, std::string_view signature) const {
  const auto mac = decode_signature(signature);
  return mac && std::ranges::any_of(keys_, [&](const auto& key) { return key.verify(text, *mac); });
}

std::expected<std::vector<Notice>, EventRefusal> EventReader::read(std::string_view body) const {
  auto request = read_request(body);
  if (!request) return std::unexpected(std::move(request.error()));
  for (const auto& item : request->items) {
    if (is_signed(signed_text(item), item.signature)) continue;
    return std::unexpected(EventRefusal{
        .is_signature = true,
        .reason = item.signature.empty() ? "an item of the request is not signed"
                                         : "an item's signature is by none of the account's keys"});
  }
  if (request->live != (is_live_ ? "true" : "false")) {
    return unreadable(is_live_ ? "the event is not of the live environment"
                               : "the event is not of the test environment");
  }
  std::vector<Notice> notices;
  for (const auto& item : request->items) {
    auto notice = notice_of(item);
    // Reports are of the company, whose code they carry.
    const bool is_ignored = std::holds_alternative<payment::Ignored>(notice.what);
    if (item.merchant_account != merchant_account_ && !is_ignored) {
      return unreadable("the event is of another merchant account");
    }
    notices.push_back(std::move(notice));
  }
  return notices;
}

}  // namespace switchyard::psp::adyen
