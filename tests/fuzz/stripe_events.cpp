// Stripe's webhook: a request is believed only under a signature of its own bytes and of our time, and an
// event never says by itself that money moved to us; what it names can be looked for.
#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "fuzz/input.hpp"
#include "fuzz/said.hpp"
#include "psp/stripe/amounts.hpp"
#include "psp/stripe/events.hpp"
#include "psp/stripe/objects.hpp"
#include "psp/stripe/signature.hpp"
#include "psp/stripe/testing.hpp"

namespace switchyard::fuzz {
namespace {

using psp::Notice;
using std::chrono::seconds;

constexpr std::size_t name_bytes_max = 255;
constexpr std::string_view signed_time = "1760000000";

const std::vector<token::HmacSha256>& keys() {
  static const auto both = [] {
    std::vector<token::HmacSha256> all;
    all.emplace_back("whsec_new");
    all.emplace_back("whsec_old");
    return all;
  }();
  return both;
}

std::string signature_of(std::string_view body, const token::HmacSha256& key) {
  std::string hex;
  for (const auto byte : key.sign(fmt::format("{}.{}", signed_time, body)))
    hex += fmt::format("{:02x}", byte);
  return hex;
}

bool has_item(std::string_view header, std::string_view wanted) {
  while (!header.empty()) {
    const auto item = header.substr(0, header.find(','));
    if (item == wanted) return true;
    header.remove_prefix(std::min(item.size() + 1, header.size()));
  }
  return false;
}

// A signature that is good stands in `line` at each '*'.
void check_signature(std::string_view line, std::string_view body, seconds age) {
  const auto good = signature_of(body, keys()[age.count() % 2 == 0 ? 0 : 1]);
  std::string header;
  for (const char c : line) header += c == '*' ? good : std::string(1, c);
  const Timestamp now = psp::stripe::sent_at + age;
  const bool is_of_now = age <= psp::stripe::signature_tolerance && age >= -psp::stripe::signature_tolerance;
  if (psp::stripe::why_not_signed(keys(), header, body, now).empty()) {
    SWITCHYARD_ASSERT(is_of_now && has_item(header, fmt::format("t={}", signed_time)));
    SWITCHYARD_ASSERT(std::ranges::any_of(
        keys(), [&](const auto& key) { return has_item(header, "v1=" + signature_of(body, key)); }));
  }
  const auto plain = fmt::format("t={},v1={}", signed_time, good);
  SWITCHYARD_ASSERT(psp::stripe::why_not_signed(keys(), plain, body, now).empty() == is_of_now);
  const auto more = std::string(body) + " ";
  SWITCHYARD_ASSERT(!psp::stripe::why_not_signed(keys(), plain, more, now).empty());
}

template <class What>
const What* get(const Notice& notice) {
  return std::get_if<What>(&notice.what);
}

void check_names(const Notice& notice, const json::value& said) {
  SWITCHYARD_ASSERT(psp::stripe::is_id(notice.event) && says(said, "id", notice.event));
  SWITCHYARD_ASSERT(!notice.type.empty() && says(said, "type", notice.type));
  SWITCHYARD_ASSERT(notice.psp_reference.empty() || psp::stripe::is_id(notice.psp_reference));
  SWITCHYARD_ASSERT(notice.payment.empty() || psp::stripe::is_id(notice.payment));
  SWITCHYARD_ASSERT(notice.reference.size() <= name_bytes_max);
  SWITCHYARD_ASSERT(notice.idempotency_key.size() <= name_bytes_max);
  const auto& key = notice.idempotency_key;
  const bool is_said = key.empty() || says(said, "request.idempotency_key", key) ||
                       says(said, "data.object.metadata.switchyard_key", key) ||
                       says(said, "data.object.metadata.switchyard_capture_key", key);
  SWITCHYARD_ASSERT(is_said);
}

void check_amount(const std::optional<Money>& amount, const json::value& said) {
  if (!amount) return;
  const auto* value = at(said, "data.object.amount").if_int64();
  SWITCHYARD_ASSERT(value != nullptr);
  SWITCHYARD_ASSERT(amount == psp::stripe::from_stripe(*value, text_at(said, "data.object.currency")));
}

void check_meaning(const Notice& notice, const json::value& said) {
  SWITCHYARD_ASSERT(get<payment::Succeeded>(notice) == nullptr && get<payment::Declined>(notice) == nullptr);
  if (const auto* taken = get<payment::TakenBack>(notice)) {
    const bool has_failed = notice.type == "refund.failed" || says(said, "data.object.status", "failed") ||
                            says(said, "data.object.status", "canceled");
    SWITCHYARD_ASSERT(notice.kind == payment::Kind::refund && has_failed);
    check_amount(taken->amount, said);
  }
  if (const auto* charged = get<payment::ChargedBack>(notice)) {
    SWITCHYARD_ASSERT(notice.type == "charge.dispute.funds_withdrawn");
    check_amount(charged->amount, said);
  }
}

// Of a transaction that has an authorization, pi_1, and a refund that succeeded or is under way.
void hear(const Notice& notice, bool is_over) {
  auto step =
      psp::stripe::step_of({.kind = payment::Kind::refund, .amount_minor = 500, .authorized_minor = 2000});
  const auto& accounts = psp::stripe::only_stripe;
  const payment::Found answer = is_over ? payment::Found(payment::Succeeded{"re_1", psp::stripe::euros(500)})
                                        : payment::Pending{"re_1", {}};
  auto state = payment::found(step, answer, accounts, psp::stripe::sent_at, {}).state;
  const auto before = state;
  const auto noticed =
      payment::notified(std::move(state), "acme", notice, accounts, psp::stripe::sent_at, {});
  payment::assert_invariants(noticed.state);
  const auto& after = noticed.state.transaction;
  SWITCHYARD_ASSERT(after.captured_minor <= before.transaction.captured_minor);
  SWITCHYARD_ASSERT(after.refunded_minor <= before.transaction.refunded_minor);
  const bool is_changed = noticed.how == payment::Noticed::How::changed;
  if (!is_changed) SWITCHYARD_ASSERT(noticed.state.operations == before.operations);
}

// `is_live` matters if the mode is known.
void check_event(std::string_view body, bool is_mode_known, bool is_live, bool is_over) {
  const auto notices = psp::stripe::read_event(body, is_mode_known ? std::optional(is_live) : std::nullopt);
  if (!notices) {
    SWITCHYARD_ASSERT(!notices.error().is_signature && !notices.error().reason.empty());
    return;
  }
  SWITCHYARD_ASSERT(notices->size() == 1);
  const auto& notice = notices->front();
  const auto said = parsed(body);
  SWITCHYARD_ASSERT(says(said, "object", "event"));
  const auto* mode = at(said, "livemode").if_bool();
  const bool is_other = is_mode_known && mode != nullptr && *mode != is_live;
  if (is_other) SWITCHYARD_ASSERT(get<payment::Ignored>(notice) != nullptr);
  check_names(notice, said);
  check_meaning(notice, said);
  hear(notice, is_over);
}

}  // namespace

// The first line is a header, the rest a body.
void check(Input input) {
  const auto which = input.number<std::uint8_t>();
  const seconds age(input.number<std::int16_t>() % 512);
  const auto header = input.line();
  const auto body = input.rest();
  check_signature(header, body, age);
  check_event(body, which % 3 != 0, which % 3 == 1, which >= 128);
}

}  // namespace switchyard::fuzz
