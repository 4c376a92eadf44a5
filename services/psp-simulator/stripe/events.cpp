#include "psp-simulator/stripe/events.hpp"

#include <boost/json/serialize.hpp>

#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/dialect/names.hpp"
#include "psp/stripe/objects.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

namespace json = boost::json;
using payment::Kind;

// Tells of the payment, and before it of its charge.
struct Teller {
  Session& session;
  const Document& intent;
  const json::object* charge;
  std::string_view key;

  void tell_both(std::string_view of_charge, std::string_view of_payment, Kind about) const {
    if (charge != nullptr && !of_charge.empty()) {
      tell(session, of_charge, about, *charge, intent.reference, key);
    }
    tell(session, of_payment, about, intent.body, intent.reference, key);
  }
};

}  // namespace

void tell(Session& session, std::string_view type, Kind about, const json::object& object,
          std::string_view reference, std::string_view key) {
  const auto id = new_name("evt_", 24);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(session.now).time_since_epoch().count();
  Document event{.id = id,
                 .type = std::string(event_type),
                 .parent = std::string(type),
                 .body = {{"id", id},
                          {"object", "event"},
                          {"api_version", key_of(psp::stripe::api_version)},
                          {"created", seconds},
                          {"data", {{"object", object}}},
                          {"livemode", false},
                          {"pending_webhooks", session.sends_events ? 1 : 0},
                          {"request",
                           {{"id", key.empty() ? json::value(nullptr) : json::value(new_name("req_", 14))},
                            {"idempotency_key", text_or_null(key)}}},
                          {"type", key_of(type)}},
                 .created_at = session.now};
  session.rows.save(event);
  send_event(session, about, reference, json::serialize(event.body));
}

void tell_of_payment(Session& session, const Document& intent, const json::object* charge,
                     std::string_view before, std::string_view key) {
  const Teller teller{session, intent, charge, key};
  const auto status = text_in(intent.body, "status");
  if (status == before) return;
  if (status == "requires_capture") {
    teller.tell_both("charge.succeeded", "payment_intent.amount_capturable_updated", Kind::authorize);
  } else if (status == "succeeded") {
    const bool is_capture = text_in(intent.body, "capture_method") == "manual";
    teller.tell_both(is_capture ? "charge.captured" : "charge.succeeded", "payment_intent.succeeded",
                     is_capture ? Kind::capture : Kind::authorize);
  } else if (status == "requires_payment_method") {
    teller.tell_both("charge.failed", "payment_intent.payment_failed", Kind::authorize);
  } else if (status == "processing") {
    teller.tell_both({}, "payment_intent.processing", Kind::authorize);
  } else if (status == "requires_action") {
    teller.tell_both({}, "payment_intent.requires_action", Kind::authorize);
  } else if (status == "canceled") {
    const bool has_expired = text_in(intent.body, "cancellation_reason") == "automatic";
    teller.tell_both(has_expired ? "charge.expired" : std::string_view(), "payment_intent.canceled",
                     Kind::void_);
  }
}

}  // namespace switchyard::psp_simulator::stripe
