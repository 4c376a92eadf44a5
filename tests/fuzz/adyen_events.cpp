// Adyen's webhook: nothing is believed that is not signed as it stands, and an event says of an operation no
// more than its signed values do. The input is read as it is, and once more with each of its items signed.
#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <boost/json/serialize.hpp>

#include "fuzz/input.hpp"
#include "fuzz/said.hpp"
#include "psp/adyen/amounts.hpp"
#include "psp/adyen/event_item.hpp"
#include "psp/adyen/events.hpp"
#include "psp/adyen/names.hpp"
#include "psp/adyen/testing.hpp"
#include "token/base64url.hpp"

namespace switchyard::fuzz {
namespace {

using payment::Kind;
using payment::Phase;
using psp::Notice;
using psp::adyen::EventItem;

const psp::adyen::EventReader& reader() {
  static const psp::adyen::EventReader ours(psp::adyen::test_webhook_settings());
  return ours;
}
// Of another account: another key, the same name.
const psp::adyen::EventReader& other_reader() {
  static const psp::adyen::EventReader other(
      {.merchant_account = "SwitchyardECOM", .hmac_key = std::string(64, '0')});
  return other;
}

std::string signature_of(std::string_view text) {
  static const token::HmacSha256 key(psp::adyen::hmac_key_bytes(psp::adyen::test_hmac_key));
  const auto mac = key.sign(text);
  auto base64 =
      token::base64url_encode(std::string_view(reinterpret_cast<const char*>(mac.data()), mac.size())) + "=";
  std::ranges::replace(base64, '-', '+');
  std::ranges::replace(base64, '_', '/');
  return base64;
}

json::array* items_of(json::value& body) {
  auto* object = body.if_object();
  auto* list = object == nullptr ? nullptr : object->if_contains("notificationItems");
  return list == nullptr ? nullptr : list->if_array();
}

json::object* members_of(json::value& wrapped) {
  auto* wrapper = wrapped.if_object();
  auto* item = wrapper == nullptr ? nullptr : wrapper->if_contains("NotificationRequestItem");
  return item == nullptr ? nullptr : item->if_object();
}

// As Adyen would send it, where each of the items can be read.
bool sign(json::value& body) {
  auto* items = items_of(body);
  if (items == nullptr) return false;
  for (auto& wrapped : *items) {
    const auto item = psp::adyen::read_item(wrapped);
    if (!item) return false;
    auto& data = members_of(wrapped)->operator[]("additionalData");
    if (!data.is_object()) data = json::object();
    data.get_object()["hmacSignature"] = signature_of(psp::adyen::signed_text(*item));
  }
  return true;
}

// --- The signature -----------------------------------------------------------------------------

// Only the merchant's reference may have colons: what is left and right of it is found from both ends.
void check_can_be_taken_apart_in_one_way(const EventItem& item) {
  const auto text = psp::adyen::signed_text(item);
  std::string_view rest = text;
  const auto front = [&rest] {
    const auto taken = rest.substr(0, rest.find(':'));
    rest.remove_prefix(taken.size() + 1);
    return taken;
  };
  const auto back = [&rest] {
    const auto colon = rest.rfind(':');
    const auto taken = rest.substr(colon + 1);
    rest.remove_suffix(taken.size() + 1);
    return taken;
  };
  SWITCHYARD_ASSERT(front() == item.psp_reference && front() == item.original_reference &&
                    front() == item.merchant_account);
  SWITCHYARD_ASSERT(back() == item.success && back() == item.event_code);
  SWITCHYARD_ASSERT(back() == (item.amount ? item.amount->currency : ""));
  SWITCHYARD_ASSERT(back() == (item.amount ? std::to_string(item.amount->value) : ""));
  SWITCHYARD_ASSERT(rest == item.merchant_reference);
}

void change_text(json::object& item, std::string_view name) {
  auto& value = item[json::string_view(name.data(), name.size())];
  if (!value.is_string()) value = "";
  value.get_string() += "x";
}

// One of the signed values of one item, so that it is read as before, and says something else.
void change(json::object& item, std::size_t which) {
  constexpr std::array<std::string_view, 5> texts{"pspReference", "originalReference", "merchantAccountCode",
                                                  "merchantReference", "eventCode"};
  if (which < texts.size()) return change_text(item, texts[which]);
  auto* amount = item.contains("amount") ? item["amount"].if_object() : nullptr;
  if (which == 5 || amount == nullptr) {
    auto& success = item["success"];
    const bool was_true = success == json::value(true) || success == json::value("true");
    success = was_true ? "false" : "true";
  } else if (which == 6) {
    change_text(*amount, "currency");
  } else {
    auto& value = (*amount)["value"].get_int64();
    value = value == 0 ? 1 : value / 2;
  }
}

void check_nothing_else_is_signed(json::value body, std::size_t which) {
  auto& items = *items_of(body);
  change(*members_of(items[which / 8 % items.size()]), which % 8);
  const auto notices = reader().read(json::serialize(body));
  SWITCHYARD_ASSERT(!notices && notices.error().is_signature);
}

// --- What is said ------------------------------------------------------------------------------

template <class What>
const What* get(const Notice& notice) {
  return std::get_if<What>(&notice.what);
}

void check_amount(const std::optional<Money>& amount, const EventItem& item) {
  if (!amount) return;
  SWITCHYARD_ASSERT(item.amount &&
                    amount == psp::adyen::from_adyen(item.amount->value, item.amount->currency));
}

void check_notice(const Notice& notice, const EventItem& item) {
  SWITCHYARD_ASSERT(notice.event == item.psp_reference + ":" + item.event_code + ":" + item.success);
  SWITCHYARD_ASSERT(notice.type == item.event_code && notice.psp_reference == item.psp_reference);
  const bool is_ours = item.merchant_account == "SwitchyardECOM";
  SWITCHYARD_ASSERT(is_ours || get<payment::Ignored>(notice) != nullptr);
  if (const auto* succeeded = get<payment::Succeeded>(notice)) {
    SWITCHYARD_ASSERT(item.is_success() && notice.kind && succeeded->psp_reference == item.psp_reference);
    SWITCHYARD_ASSERT(item.amount.has_value());
    check_amount(succeeded->amount, item);
  }
  if (const auto* declined = get<payment::Declined>(notice)) {
    SWITCHYARD_ASSERT(!item.is_success() && notice.kind && declined->reason.code.empty());
    check_amount(declined->amount, item);
  }
  if (const auto* taken = get<payment::TakenBack>(notice)) check_amount(taken->amount, item);
  if (const auto* charged = get<payment::ChargedBack>(notice)) check_amount(charged->amount, item);
}

// An authorization that is under way, or one that succeeded and something later that is under way.
payment::State state_of(Kind kind) {
  auto step = psp::adyen::step_of({.kind = kind});
  auto& [transaction, operations] = step.state;
  if (kind != Kind::authorize) transaction.authorized_minor = transaction.amount.minor();
  auto& totals = kind == Kind::refund ? transaction.captured_minor : transaction.held_minor;
  if (kind != Kind::authorize) totals = transaction.amount.minor();
  const payment::OneAccount account{"adyen-eu", [](const auto&, const auto&) { return "request"; }};
  return payment::found(step, payment::Pending{"", {}}, account, Timestamp(std::chrono::hours(1)), {}).state;
}

std::string_view code_of(Kind kind) {
  switch (kind) {
    case Kind::authorize:
      return "AUTHORISATION";
    case Kind::capture:
      return "CAPTURE";
    case Kind::refund:
      return "REFUND";
    case Kind::void_:
      return "CANCELLATION";
  }
  return {};
}

void check_booked(const payment::Operation& operation, const EventItem& item) {
  if (operation.phase != Phase::succeeded && operation.phase != Phase::declined) return;
  const bool is_ours =
      psp::adyen::read_reference(item.merchant_reference).idempotency_key == operation.idempotency_key;
  SWITCHYARD_ASSERT(is_ours);
  // By a cancel by reference, too, an authorization may end, and a hold.
  const bool is_of_kind = item.event_code == code_of(operation.kind) ||
                          item.event_code == "TECHNICAL_CANCEL" ||
                          (operation.kind == Kind::authorize && item.event_code == "CANCELLATION");
  SWITCHYARD_ASSERT(is_of_kind);
  if (operation.phase == Phase::declined) return;
  SWITCHYARD_ASSERT(item.is_success() && item.amount && item.amount->value == 2000 &&
                    item.amount->currency == "EUR");
  SWITCHYARD_ASSERT(operation.psp_reference == item.psp_reference);
}

void hear(const Notice& notice, const EventItem& item, Kind kind) {
  const payment::OneAccount account{"adyen-eu", [](const auto&, const auto&) { return "request"; }};
  const auto before = state_of(kind);
  const auto noticed =
      payment::notified(before, "adyen-eu", notice, account, Timestamp(std::chrono::hours(2)), {});
  payment::assert_invariants(noticed.state);
  if (noticed.how == payment::Noticed::How::changed)
    return check_booked(noticed.state.operations.back(), item);
  SWITCHYARD_ASSERT(noticed.state.operations == before.operations);
}

void check_signed(json::value body, std::size_t which) {
  std::vector<EventItem> items;
  for (const auto& wrapped : *items_of(body)) items.push_back(*psp::adyen::read_item(wrapped));
  for (const auto& item : items) check_can_be_taken_apart_in_one_way(item);
  const auto bytes = json::serialize(body);
  const auto notices = reader().read(bytes);
  if (!notices) {
    // Its signatures are good: something else is wrong with it.
    SWITCHYARD_ASSERT(!notices.error().is_signature && !notices.error().reason.empty());
    return;
  }
  SWITCHYARD_ASSERT(says(body, "live", "false") || at(body, "live") == json::value(false));
  SWITCHYARD_ASSERT(notices->size() == items.size());
  SWITCHYARD_ASSERT(!other_reader().read(bytes) && other_reader().read(bytes).error().is_signature);
  for (std::size_t i = 0; i < items.size(); ++i) {
    check_notice((*notices)[i], items[i]);
    hear((*notices)[i], items[i], psp::adyen::kinds[which % 4]);
  }
  check_nothing_else_is_signed(std::move(body), which / 4);
}

}  // namespace

void check(Input input) {
  const auto which = input.number<std::uint16_t>();
  const auto bytes = input.rest();
  auto body = parsed(bytes);
  const auto notices = reader().read(bytes);
  // The key is known to nobody but us and Adyen: what is signed as it stands is so when it is signed anew.
  auto again = body;
  const bool can_be_signed = sign(again);
  if (notices) SWITCHYARD_ASSERT(can_be_signed && again == body);
  if (can_be_signed && !items_of(again)->empty()) check_signed(std::move(again), which);
}

}  // namespace switchyard::fuzz
