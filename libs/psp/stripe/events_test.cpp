#include "psp/stripe/events.hpp"

#include <string>

#include <gmock/gmock.h>

#include "psp/stripe/signature.hpp"
#include "psp/stripe/testing.hpp"

namespace switchyard::psp::stripe {
namespace {

using payment::Kind;
using std::chrono::seconds;
using ::testing::HasSubstr;

// --- The signature -------------------------------------------------------------------------------

// Made with Stripe's own library for Python.
constexpr std::string_view secret = "whsec_switchyardTest0123456789abcdef";
constexpr std::string_view signed_body =
    R"({"id":"evt_sy_0001","object":"event","type":"payment_intent.succeeded",)"
    R"("data":{"object":{"id":"pi_sy_0001","amount":1234}}})";
constexpr std::string_view good_signature =
    "71ff4837ead4d2e765094b6885e9a708d431ed4ee9c95a8c5b78a1e95d8560cd";
constexpr Timestamp signed_at{seconds(1'760'000'000)};

std::vector<token::HmacSha256> keys(std::initializer_list<std::string_view> secrets) {
  std::vector<token::HmacSha256> all;
  for (const auto one : secrets) all.emplace_back(one);
  return all;
}
std::string signature_header(std::string_view signature = good_signature) {
  return fmt::format("t=1760000000,v1={}", signature);
}
std::string_view why_not(std::string_view header, std::string_view body = signed_body,
                         Timestamp now = signed_at) {
  return why_not_signed(keys({secret}), header, body, now);
}

TEST(StripeSignature, OfStripesOwnLibraryIsGood) {
  EXPECT_EQ(signed_body.size(), 123U);
  EXPECT_EQ(why_not(signature_header()), "");
}

TEST(StripeSignature, OneOfSeveralIsEnough) {
  const std::string wrong(64, '0');
  EXPECT_EQ(why_not(fmt::format("t=1760000000,v1={},v1={}", wrong, good_signature)), "");
  EXPECT_EQ(why_not(fmt::format("t=1760000000,v1={},v0={},v2=x,what", good_signature, wrong)), "");
  EXPECT_EQ(why_not(fmt::format("v1={},t=1760000000", good_signature)), "");
  EXPECT_EQ(why_not_signed(keys({"whsec_new", secret}), signature_header(), signed_body, signed_at), "");
  EXPECT_EQ(why_not_signed(keys({secret, "whsec_old"}), signature_header(), signed_body, signed_at), "");
}

TEST(StripeSignature, IsOfTheRawBodyTheTimeAndTheWholeSecret) {
  const auto wrong = "its signature is not under our secret";
  EXPECT_EQ(why_not(signature_header(), std::string(signed_body) + " "), wrong);
  EXPECT_EQ(why_not(signature_header(), ""), wrong);
  EXPECT_EQ(why_not(fmt::format("t=1760000001,v1={}", good_signature)), wrong);
  EXPECT_EQ(why_not(fmt::format("t=01760000000,v1={}", good_signature)), wrong);
  EXPECT_EQ(why_not_signed(keys({"whsec_other"}), signature_header(), signed_body, signed_at), wrong);
  EXPECT_EQ(why_not_signed(keys({secret.substr(6)}), signature_header(), signed_body, signed_at), wrong);
}

TEST(StripeSignature, IsGoodForFiveMinutes) {
  EXPECT_EQ(why_not(signature_header(), signed_body, signed_at + seconds(300)), "");
  EXPECT_EQ(why_not(signature_header(), signed_body, signed_at + seconds(301)),
            "its signature is older than 300 s");
  EXPECT_EQ(why_not(signature_header(), signed_body, signed_at - seconds(300)), "");
  EXPECT_EQ(why_not(signature_header(), signed_body, signed_at - seconds(301)),
            "its signature is of a time to come");
}

TEST(StripeSignature, AHeaderThatCannotBeReadIsRefused) {
  EXPECT_EQ(why_not(""), "it has no Stripe-Signature");
  for (const auto* header : {",", "t", "t=", "t=x", "t=1.5", "t=-1", "t= 1760000000", "t=1760000000 ",
                             "t=99999999999999999999", "t=9223372036854775807", "v1=", "\xff"}) {
    EXPECT_EQ(why_not(header), "its Stripe-Signature cannot be read") << header;
  }
  EXPECT_EQ(why_not(fmt::format("t=1,t=1760000000,v1={}", good_signature)),
            "its Stripe-Signature cannot be read");
  EXPECT_EQ(why_not(signature_header() + std::string(3000, ',')), "its Stripe-Signature cannot be read");
  const auto none = "its Stripe-Signature has no signature of scheme v1";
  for (const std::string& signature : {std::string(), std::string("00"), std::string(good_signature) + "0",
                                       std::string(good_signature.substr(1)) + "g"}) {
    EXPECT_EQ(why_not(signature_header(signature)), none) << signature;
  }
  EXPECT_EQ(why_not(fmt::format("t=1760000000,v0={}", good_signature)), none);
  EXPECT_EQ(why_not("t=1760000000"), none);
  EXPECT_EQ(why_not_signed({}, signature_header(), signed_body, signed_at),
            "no secret of the webhook is set");
}

// Only so many are computed.
TEST(StripeSignature, TooManySignaturesAreNotLookedAt) {
  std::string header = "t=1760000000";
  for (int i = 0; i < 8; ++i) header += ",v1=" + std::string(64, '0');
  EXPECT_NE(why_not(header + ",v1=" + std::string(good_signature)), "");
}

// --- The event -----------------------------------------------------------------------------------

std::string event_of(std::string_view type, const boost::json::object& object,
                     std::string_view request = R"({"id":"req_1","idempotency_key":"key-7"})") {
  return fmt::format(
      R"({{"id":"evt_1","object":"event","api_version":"2026-08-26.dahlia","created":1760000000,"livemode":false,)"
      R"("type":"{}","data":{{"object":{}}},"request":{}}})",
      type, text(object), request);
}

Notice notice_of(const std::string& body, std::optional<bool> is_live = {}) {
  const auto notices = read_event(body, is_live);
  EXPECT_TRUE(notices) << notices.error().reason;
  if (!notices || notices->size() != 1) return {};
  return notices->front();
}

boost::json::object charge() {
  return with(
      {}, R"({"id":"ch_1","object":"charge","status":"succeeded","payment_intent":"pi_1","metadata":{}})");
}
boost::json::object dispute() {
  return with({}, R"({"id":"dp_1","object":"dispute","status":"needs_response","reason":"fraudulent",
"amount":2000,"currency":"eur","charge":"ch_1","payment_intent":"pi_1"})");
}

TEST(StripeEvent, WhatHappenedToAPaymentIsAskedForAgain) {
  for (const auto* type : {"payment_intent.succeeded", "payment_intent.amount_capturable_updated",
                           "payment_intent.processing", "payment_intent.requires_action"}) {
    const auto notice = notice_of(event_of(type, intent()));
    const bool is_done = std::string_view(type) == "payment_intent.succeeded" ||
                         type == std::string_view("payment_intent.amount_capturable_updated");
    EXPECT_EQ(is<payment::Happened>(notice.what), is_done) << type;
    EXPECT_EQ(is<payment::AskAgain>(notice.what), !is_done) << type;
    EXPECT_EQ(notice.event, "evt_1");
    EXPECT_EQ(notice.type, type);
    EXPECT_EQ(notice.kind, Kind::authorize);
    EXPECT_EQ(notice.reference, "reference-1");
    EXPECT_EQ(notice.idempotency_key, "key-2");
    EXPECT_EQ(notice.psp_reference, "pi_1");
    EXPECT_EQ(notice.payment, "pi_1");
  }
}

TEST(StripeEvent, APaymentThatFailedSaysWhy) {
  const auto why = [](std::string_view members) {
    const auto notice = notice_of(event_of("payment_intent.payment_failed", with(intent(), members)));
    EXPECT_EQ(notice.kind, Kind::authorize);
    EXPECT_EQ(notice.idempotency_key, "key-2");
    EXPECT_EQ(notice.payment, "pi_1");
    const auto* failed = std::get_if<payment::TryFailed>(&notice.what);
    return failed == nullptr ? "" : failed->reason;
  };
  EXPECT_EQ(why(R"({"last_payment_error":{"code":"card_declined","decline_code":"lost_card"}})"),
            "the payment failed: lost_card");
  EXPECT_EQ(why(R"({"last_payment_error":{"code":"payment_intent_payment_attempt_failed"}})"),
            "the payment failed: payment_intent_payment_attempt_failed");
  EXPECT_EQ(why(R"({"last_payment_error":null})"), "the payment failed: no reason is given");
}

TEST(StripeEvent, APaymentThatWasHeldAndSucceededWasCaptured) {
  const auto notice = notice_of(event_of("payment_intent.succeeded", captured_intent()));
  EXPECT_TRUE(is<payment::Happened>(notice.what));
  EXPECT_EQ(notice.kind, Kind::capture);
  EXPECT_EQ(notice.idempotency_key, "key-2");
  // By somebody else: by the key of that one's request.
  const auto other = notice_of(event_of("payment_intent.succeeded", canceled_intent()));
  EXPECT_EQ(other.idempotency_key, "key-7");
  EXPECT_EQ(other.payment, "pi_1");
}

TEST(StripeEvent, AVoidIsFoundByTheKeyOfItsRequest) {
  const auto notice = notice_of(event_of("payment_intent.canceled", canceled_intent()));
  ASSERT_TRUE(is<payment::CameToNothing>(notice.what));
  EXPECT_THAT(std::get<payment::CameToNothing>(notice.what).reason, HasSubstr("the payment was cancelled"));
  EXPECT_EQ(notice.kind, std::nullopt);
  EXPECT_EQ(notice.idempotency_key, "key-7");
  EXPECT_EQ(notice.reference, "reference-1");
}

TEST(StripeEvent, ChargesSayWhichPaymentTheyAreOf) {
  const auto captured = notice_of(event_of("charge.captured", charge()));
  EXPECT_TRUE(is<payment::AskAgain>(captured.what));
  EXPECT_EQ(captured.kind, Kind::capture);
  EXPECT_EQ(captured.payment, "pi_1");
  EXPECT_EQ(captured.idempotency_key, "key-7");
  const auto refunded = notice_of(event_of("charge.refunded", charge()));
  EXPECT_TRUE(is<payment::AskAgain>(refunded.what));
  EXPECT_EQ(refunded.kind, Kind::refund);
  EXPECT_EQ(refunded.payment, "pi_1");
  EXPECT_EQ(refunded.psp_reference, "");
  const auto expired = notice_of(event_of("charge.expired", charge()));
  ASSERT_TRUE(is<payment::HoldExpired>(expired.what));
  EXPECT_THAT(std::get<payment::HoldExpired>(expired.what).reason, HasSubstr("run out"));
  EXPECT_EQ(expired.payment, "pi_1");
}

TEST(StripeEvent, ARefundIsFoundByItsOwnMetadata) {
  for (const auto* type : {"refund.created", "refund.updated", "charge.refund.updated"}) {
    const auto notice = notice_of(event_of(type, refund(R"({"status":"pending"})")));
    EXPECT_TRUE(is<payment::AskAgain>(notice.what)) << type;
    EXPECT_TRUE(is<payment::Happened>(notice_of(event_of(type, refund())).what)) << type;
    EXPECT_EQ(notice.kind, Kind::refund);
    EXPECT_EQ(notice.reference, "reference-1");
    EXPECT_EQ(notice.idempotency_key, "key-2");
    EXPECT_EQ(notice.psp_reference, "re_1");
    EXPECT_EQ(notice.payment, "pi_1");
  }
}

TEST(StripeEvent, ARefundThatFailedIsTakenBack) {
  const auto failed = refund(R"({"status":"failed","failure_reason":"lost_or_stolen_card"})");
  for (const auto* type : {"refund.failed", "refund.updated", "charge.refund.updated"}) {
    const auto notice = notice_of(event_of(type, failed));
    ASSERT_TRUE(is<payment::TakenBack>(notice.what)) << type;
    EXPECT_EQ(std::get<payment::TakenBack>(notice.what).reason, "the refund failed: lost_or_stolen_card");
    EXPECT_EQ(std::get<payment::TakenBack>(notice.what).amount, euros(2000));
    EXPECT_EQ(notice.idempotency_key, "key-2");
  }
  const auto bare = notice_of(event_of("refund.failed", with({}, R"({"id":"re_1"})")));
  EXPECT_TRUE(is<payment::Attention>(bare.what));
  EXPECT_EQ(bare.psp_reference, "re_1");
}

// Nobody could say by how much the totals are to be lowered.
TEST(StripeEvent, ARefundThatFailedOfAnAmountThatIsNoneOfOursIsForAPerson) {
  for (const auto* amount : {R"({"currency":"EUR"})", R"({"currency":"xxx"})", R"({"currency":null})",
                             R"({"amount":2000.0})", R"({"amount":"2000"})", R"({"amount":null})"}) {
    const auto failed = with(refund(R"({"status":"failed"})"), amount);
    EXPECT_TRUE(is<payment::Attention>(notice_of(event_of("refund.failed", failed)).what)) << amount;
  }
}

TEST(StripeEvent, ADisputeIsForAPerson) {
  for (const auto* type :
       {"charge.dispute.created", "charge.dispute.closed", "charge.dispute.funds_reinstated"}) {
    const auto notice = notice_of(event_of(type, dispute()));
    ASSERT_TRUE(is<payment::Attention>(notice.what)) << type;
    EXPECT_EQ(std::get<payment::Attention>(notice.what).reason,
              "a dispute of 20.00 EUR, fraudulent, is needs_response");
    EXPECT_EQ(notice.payment, "pi_1");
    EXPECT_EQ(notice.psp_reference, "dp_1");
  }
  const auto bare = notice_of(event_of("charge.dispute.created", with({}, R"({"id":"dp_1","amount":1.5})")));
  EXPECT_TRUE(is<payment::Attention>(bare.what));
}

TEST(StripeEvent, ADisputeThatTakesTheMoneyIsAChargeback) {
  const auto notice = notice_of(event_of("charge.dispute.funds_withdrawn", dispute()));
  ASSERT_TRUE(is<payment::ChargedBack>(notice.what));
  const auto& charged = std::get<payment::ChargedBack>(notice.what);
  EXPECT_EQ(charged.amount, Money(2000, *Currency::parse("EUR")));
  EXPECT_EQ(charged.reason, "a dispute of 20.00 EUR, fraudulent, is needs_response");
  EXPECT_EQ(notice.payment, "pi_1");
}

TEST(StripeEvent, WhatIsOfNoConsequenceIsIgnored) {
  for (const auto* type : {"payment_intent.created", "charge.succeeded", "charge.failed", "charge.updated",
                           "charge.dispute.updated", "customer.created", "payment_intent", "Refund.failed"}) {
    const auto notice = notice_of(event_of(type, intent()));
    EXPECT_TRUE(is<payment::Ignored>(notice.what)) << type;
    EXPECT_EQ(notice.event, "evt_1");
    EXPECT_EQ(notice.type, type);
  }
  // Whatever stands in it.
  EXPECT_TRUE(is<payment::Ignored>(notice_of(R"({"id":"evt_1","object":"event","type":"new"})").what));
}

TEST(StripeEvent, AnEventOfTestsIsNoneOfRealMoney) {
  const auto body = event_of("payment_intent.succeeded", intent());
  EXPECT_TRUE(is<payment::Ignored>(notice_of(body, true).what));
  EXPECT_TRUE(is<payment::Happened>(notice_of(body, false).what));
  EXPECT_TRUE(is<payment::Happened>(notice_of(body).what));
  EXPECT_TRUE(is<payment::Happened>(notice_of(std::string(signed_body), true).what));
}

TEST(StripeEvent, ARequestNeedNotHaveAKey) {
  const auto bare = with({}, R"({"id":"pi_1","status":"canceled"})");
  for (const auto* request :
       {"null", R"("req_1")", "{}", R"({"idempotency_key":null})", R"({"idempotency_key":7})"}) {
    const auto notice = notice_of(event_of("payment_intent.canceled", bare, request));
    EXPECT_EQ(notice.idempotency_key, "") << request;
    EXPECT_EQ(notice.reference, "");
    EXPECT_EQ(notice.payment, "pi_1");
  }
}

TEST(StripeEvent, NamesThatAreTooLongAreNone) {
  const auto key = fmt::format(R"({{"idempotency_key":"{}"}})", std::string(256, 'k'));
  EXPECT_EQ(notice_of(event_of("charge.refunded", charge(), key)).idempotency_key, "");
  const auto metadata =
      fmt::format(R"({{"metadata":{{"switchyard_reference":"{}"}}}})", std::string(256, 'r'));
  EXPECT_EQ(notice_of(event_of("payment_intent.canceled", intent(metadata))).reference, "");
  const auto payment = fmt::format(R"({{"payment_intent":"{}"}})", std::string(256, 'p'));
  EXPECT_EQ(notice_of(event_of("refund.created", refund(payment))).payment, "");
  EXPECT_EQ(notice_of(event_of("refund.created", refund(R"({"payment_intent":{"id":"../x"}})"))).payment, "");
}

TEST(StripeEvent, WhatIsNoEventIsRefused) {
  const auto good_event = event_of("payment_intent.succeeded", intent());
  const auto replaced = [&](std::string_view what, std::string_view by) {
    auto changed = good_event;
    const auto at = changed.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return changed.replace(at, what.size(), by);
  };
  for (const auto& body : {std::string(),
                           std::string("<html>"),
                           std::string("null"),
                           std::string("[]"),
                           std::string("{}"),
                           good_event + "x",
                           good_event.substr(0, 50),
                           replaced(R"("evt_1")", "7"),
                           replaced("evt_1", ""),
                           replaced("evt_1", "a b"),
                           replaced("evt_1", std::string(256, 'e')),
                           replaced(R"("event")", R"("list")"),
                           replaced(R"("payment_intent.succeeded")", "7"),
                           replaced("payment_intent.succeeded", ""),
                           replaced("payment_intent.succeeded", std::string(256, 't')),
                           replaced(R"("data")", R"("dato")"),
                           replaced(R"({"object":{)", R"({"subject":{)"),
                           replaced("\"pi_1\"", "\"\""),
                           event_of("payment_intent.succeeded", {}),
                           std::string(100'000, '['),
                           std::string(webhook_bytes_max + 1, ' ')}) {
    const auto notices = read_event(body, {});
    ASSERT_FALSE(notices) << body.substr(0, 100);
    EXPECT_FALSE(notices.error().is_signature);
    EXPECT_NE(notices.error().reason, "");
  }
}

}  // namespace
}  // namespace switchyard::psp::stripe
