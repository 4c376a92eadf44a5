#include "psp/stripe/events.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "http/json.hpp"
#include "psp/stripe/amounts.hpp"
#include "psp/stripe/declines.hpp"
#include "psp/stripe/objects.hpp"

namespace switchyard::psp::stripe {
namespace {

namespace json = boost::json;
using payment::Kind;

constexpr std::size_t name_bytes_max = 255;

// What kind of object an event is about, and so where in it the names stand.
enum class About { payment, refund, charge_captured, charge_refunded, charge_expired, dispute };

struct EventRow {
  std::string_view type;
  About about;
};

constexpr auto event_table = std::to_array<EventRow>({
    {"charge.captured", About::charge_captured},
    {"charge.dispute.closed", About::dispute},
    {"charge.dispute.created", About::dispute},
    {"charge.dispute.funds_reinstated", About::dispute},
    {"charge.dispute.funds_withdrawn", About::dispute},
    {"charge.expired", About::charge_expired},
    {"charge.refund.updated", About::refund},
    {"charge.refunded", About::charge_refunded},
    {"payment_intent.amount_capturable_updated", About::payment},
    {"payment_intent.canceled", About::payment},
    {"payment_intent.payment_failed", About::payment},
    {"payment_intent.processing", About::payment},
    {"payment_intent.requires_action", About::payment},
    {"payment_intent.succeeded", About::payment},
    {"refund.created", About::refund},
    {"refund.failed", About::refund},
    {"refund.updated", About::refund},
});

std::unexpected<EventRefusal> refuse_event(std::string_view why) {
  return std::unexpected(EventRefusal{.is_signature = false, .reason = std::string(why)});
}

// A name by which something is looked for: one that is too long is none of ours.
std::string bounded(std::string text) {
  return text.size() > name_bytes_max ? std::string() : std::move(text);
}

// Of the call that led to the event. Before version 2017-05-25 it was no object.
std::string request_key_of(const json::object& event) {
  const auto* request = object_of(event, "request");
  return request == nullptr ? std::string() : bounded(text_of(*request, "idempotency_key"));
}

void note_metadata(Notice& notice, const json::object& object, std::string_view name) {
  notice.reference = bounded(metadata_of(object, reference_name));
  if (auto key = bounded(metadata_of(object, name)); !key.empty()) notice.idempotency_key = std::move(key);
}

std::string why_canceled(const Intent& intent) {
  const auto& reason = intent.cancellation_reason;
  return reason.empty() ? "the payment was cancelled" : "the payment was cancelled: " + reason;
}

std::string why_failed(const Intent& intent) {
  const auto& error = intent.last_payment_error;
  return "the payment failed: " + (error ? reason_of(*error).code : "no reason is given");
}

void note_payment(Notice& notice, const json::object& intent) {
  const auto id = text_of(intent, "id");
  notice.payment = id;
  notice.psp_reference = id;
  notice.what = payment::AskAgain{};
  const bool is_over = notice.type == "payment_intent.succeeded";
  const bool is_held = notice.type == "payment_intent.amount_capturable_updated";
  if (is_over || is_held) notice.what = payment::Happened{};
  if (notice.type == "payment_intent.canceled") {
    notice.what = payment::CameToNothing{why_canceled(read_intent(intent).value_or(Intent()))};
    // By a void of ours, by a person, or because the hold ran out: by whichever key asked for it.
    notice.reference = bounded(metadata_of(intent, reference_name));
  } else if (is_over && text_of(intent, "capture_method") == "manual") {
    notice.kind = Kind::capture;
    note_metadata(notice, intent, capture_key_name);
  } else {
    notice.kind = Kind::authorize;
    note_metadata(notice, intent, key_name);
  }
  if (notice.type == "payment_intent.payment_failed") {
    notice.what = payment::TryFailed{why_failed(read_intent(intent).value_or(Intent()))};
  }
}

Notice::What taken_back(const json::object& object) {
  const auto refund = read_refund(object);
  if (!refund) return payment::Attention{"a refund failed, of which the event says nothing that can be read"};
  auto words = "the refund failed: " + reason_of(*refund).code;
  const auto amount = refund->amount ? from_stripe(*refund->amount, refund->currency) : std::nullopt;
  if (!amount) return payment::Attention{words + ", of which the amount cannot be read"};
  return payment::TakenBack{std::move(words), amount};
}

void note_refund(Notice& notice, const json::object& refund) {
  notice.kind = Kind::refund;
  notice.psp_reference = text_of(refund, "id");
  notice.payment = id_of(refund, "payment_intent");
  note_metadata(notice, refund, key_name);
  const auto status = text_of(refund, "status");
  if (notice.type == "refund.failed" || status == "failed" || status == "canceled") {
    notice.what = taken_back(refund);
  } else if (status == "succeeded") {
    notice.what = payment::Happened{};
  } else {
    notice.what = payment::AskAgain{};
  }
}

void note_dispute(Notice& notice, const json::object& dispute) {
  const auto amount = dispute.if_contains("amount");
  const auto money = amount != nullptr && amount->is_int64()
                         ? from_stripe(amount->get_int64(), text_of(dispute, "currency"))
                         : std::nullopt;
  notice.psp_reference = text_of(dispute, "id");
  notice.payment = id_of(dispute, "payment_intent");
  auto words =
      fmt::format("a dispute of {}, {}, is {}", money ? money->to_string() : "an amount that is not known",
                  bounded(text_of(dispute, "reason")), bounded(text_of(dispute, "status")));
  if (notice.type == "charge.dispute.funds_withdrawn") {
    notice.what = payment::ChargedBack{std::move(words), money};
  } else {
    notice.what = payment::Attention{std::move(words)};
  }
}

// Whether a charge has the metadata of its payment is not promised: its payment's name must do.
void note_charge(Notice& notice, const json::object& charge, About about) {
  notice.payment = id_of(charge, "payment_intent");
  if (about == About::charge_expired) {
    notice.kind = Kind::authorize;
    notice.psp_reference = notice.payment;
    notice.what = payment::HoldExpired{"the hold has run out: nothing can be captured any more"};
    return;
  }
  if (about == About::charge_captured) notice.psp_reference = notice.payment;
  notice.kind = about == About::charge_captured ? Kind::capture : Kind::refund;
  notice.what = payment::AskAgain{};
}

void note_object(Notice& notice, About about, const json::object& object) {
  switch (about) {
    case About::payment:
      return note_payment(notice, object);
    case About::refund:
      return note_refund(notice, object);
    case About::dispute:
      return note_dispute(notice, object);
    case About::charge_captured:
    case About::charge_refunded:
    case About::charge_expired:
      return note_charge(notice, object, about);
  }
}

bool is_of_the_other_mode(const json::object& event, std::optional<bool> is_live) {
  const auto* mode = event.if_contains("livemode");
  return is_live && mode != nullptr && mode->is_bool() && mode->get_bool() != *is_live;
}

}  // namespace

std::expected<std::vector<Notice>, EventRefusal> read_event(std::string_view body,
                                                            std::optional<bool> is_live) {
  if (body.size() > webhook_bytes_max) return refuse_event("the event is too large");
  const auto value = http::parse_json(body);
  if (!value || !value->is_object()) return refuse_event("the event cannot be read");
  const auto& event = value->get_object();
  Notice notice{.event = text_of(event, "id"), .type = text_of(event, "type")};
  if (text_of(event, "object") != "event" || !is_id(notice.event)) return refuse_event("it is no event");
  if (notice.type.empty() || notice.type.size() > name_bytes_max) {
    return refuse_event("the event has no type");
  }
  const auto row = std::ranges::find(event_table, notice.type, &EventRow::type);
  if (row == event_table.end() || is_of_the_other_mode(event, is_live)) return std::vector{std::move(notice)};
  const auto* data = object_of(event, "data");
  const auto* object = data == nullptr ? nullptr : object_of(*data, "object");
  if (object == nullptr || !is_id(text_of(*object, "id"))) return refuse_event("the event has no object");
  notice.idempotency_key = request_key_of(event);
  note_object(notice, row->about, *object);
  // Whole objects may stand where names do, with anything in them.
  if (!is_id(notice.payment)) notice.payment.clear();
  if (!is_id(notice.psp_reference)) notice.psp_reference.clear();
  return std::vector{std::move(notice)};
}

}  // namespace switchyard::psp::stripe
