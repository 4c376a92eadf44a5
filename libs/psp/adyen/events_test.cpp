#include "psp/adyen/events.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "http/json.hpp"
#include "psp/adyen/event_codes.hpp"
#include "psp/adyen/event_item.hpp"
#include "psp/adyen/testing.hpp"
#include "token/base64url.hpp"

namespace switchyard::psp::adyen {
namespace {

using payment::Declined;
using payment::Kind;
using payment::ReasonKind;
using payment::Succeeded;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view other_hmac_key =
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

EventItem item_of(std::string code, std::string success = "true") {
  return {.psp_reference = "SYPSP00000000002",
          .original_reference = code == "AUTHORISATION" ? "" : "SYPSP00000000001",
          .merchant_account = "SwitchyardECOM",
          .merchant_reference = "7_0123456789abcdef0123456789abcdef_2",
          .amount = Amount{.value = 1500, .currency = "EUR"},
          .event_code = std::move(code),
          .success = std::move(success),
          .reason = {},
          .signature = {}};
}

std::string signature_of(std::string_view text, std::string_view hex = test_hmac_key) {
  const auto mac = token::HmacSha256(hmac_key_bytes(hex)).sign(text);
  auto base64 =
      token::base64url_encode(std::string_view(reinterpret_cast<const char*>(mac.data()), mac.size())) + "=";
  std::ranges::replace(base64, '-', '+');
  std::ranges::replace(base64, '_', '/');
  return base64;
}

EventItem signed_item(EventItem item, std::string_view hex = test_hmac_key) {
  item.signature = signature_of(signed_text(item), hex);
  return item;
}

// As Adyen writes it, with members that are not read.
std::string json_of(const EventItem& item) {
  const auto text = [](std::string_view value) { return http::json_string(value); };
  return R"({"NotificationRequestItem":{"eventCode":)" + text(item.event_code) + R"(,"success":)" +
         text(item.success) + R"(,"eventDate":"2026-10-01T10:11:12+02:00","merchantAccountCode":)" +
         text(item.merchant_account) + R"(,"pspReference":)" + text(item.psp_reference) +
         R"(,"originalReference":)" + text(item.original_reference) + R"(,"merchantReference":)" +
         text(item.merchant_reference) +
         (item.amount ? R"(,"amount":{"currency":)" + text(item.amount->currency) + R"(,"value":)" +
                            std::to_string(item.amount->value) + "}"
                      : std::string()) +
         R"(,"paymentMethod":"visa","operations":["REFUND"],"reason":)" + text(item.reason) +
         R"(,"additionalData":{"expiryDate":"3/2030","hmacSignature":)" + text(item.signature) + "}}}";
}

std::string request_with(const std::vector<EventItem>& items, std::string_view live = R"("false")") {
  std::string body = R"({"live":)" + std::string(live) + R"(,"notificationItems":[)";
  for (const auto& item : items) body += json_of(item) + ",";
  body.back() = ']';
  return body + "}";
}

std::expected<std::vector<Notice>, EventRefusal> read_events(
    const std::string& body, const WebhookSettings& settings = test_webhook_settings()) {
  return EventReader(settings).read(body);
}

Notice notice_of_item(const EventItem& item) {
  auto notices = read_events(request_with({signed_item(item)}));
  EXPECT_TRUE(notices.has_value()) << notices.error().reason;
  return notices->at(0);
}

// Why nothing is believed: "signature: ..." or "body: ...".
std::string refusal(const std::string& body, const WebhookSettings& settings = test_webhook_settings()) {
  const auto notices = read_events(body, settings);
  if (notices) return "none";
  return (notices.error().is_signature ? "signature: " : "body: ") + notices.error().reason;
}

template <class What>
bool is_about(const Notice& notice) {
  return std::holds_alternative<What>(notice.what);
}

// --- Signatures --------------------------------------------------------------------------------

struct Vector {
  const char* text;
  const char* signature;
};
// Made with Adyen's own library.
constexpr Vector vectors[] = {
    {"SYPSP00000000001::SwitchyardECOM:sy-pay-0001:1234:EUR:AUTHORISATION:true",
     "C1feYydvzsbTao50ocI3V/wV+L5QMNQwLEegUSWfJ4A="},
    {"SYPSP00000000002:SYPSP00000000001:SwitchyardECOM:sy:cap\\01/a:1000:EUR:CAPTURE:false",
     "KSzwack0isCyJHuPIy5IDCJ2b2P4NLMy4K1gzGfTMM4="},
    {"SYPSP00000000002:SYPSP00000000001:SwitchyardECOM:7_0123456789abcdef0123456789abcdef_2:1500:EUR:REFUND:true",
     "3SejnupJ7WBpa1bsshaRxG9w+RzQnP1PVdL0JxCs9ik="},
};

TEST(AdyenSignature, AdyensOwnLibraryMakesTheSame) {
  const EventReader reader(test_webhook_settings());
  for (const auto& [text, signature] : vectors) {
    EXPECT_TRUE(reader.is_signed(text, signature)) << text;
    EXPECT_EQ(signature_of(text), signature);
    EXPECT_FALSE(reader.is_signed(std::string(text) + " ", signature));
  }
}

TEST(AdyenSignature, ValuesAreSignedAsTheyAreAfterDecodingAndNotEscaped) {
  const auto* const body =
      R"({"live":"false","notificationItems":[{"NotificationRequestItem":{"eventCode":"CAPTURE","success":"false",)"
      R"("merchantAccountCode":"SwitchyardECOM","pspReference":"SYPSP00000000002",)"
      R"("originalReference":"SYPSP00000000001","merchantReference":"sy:cap\\01\/a",)"
      R"("amount":{"currency":"EUR","value":1000},)"
      R"("additionalData":{"hmacSignature":"KSzwack0isCyJHuPIy5IDCJ2b2P4NLMy4K1gzGfTMM4="}}}]})";
  const auto notices = read_events(body);
  ASSERT_TRUE(notices.has_value()) << notices.error().reason;
  EXPECT_TRUE(is_about<Declined>(notices->at(0)));
}

TEST(AdyenSignature, WhatIsNotThereIsEmpty) {
  const auto* const body =
      R"({"live":false,"notificationItems":[{"NotificationRequestItem":{"eventCode":"AUTHORISATION",)"
      R"("success":true,"merchantAccountCode":"SwitchyardECOM","pspReference":"SYPSP00000000001",)"
      R"("originalReference":null,"merchantReference":"sy-pay-0001","amount":{"currency":"EUR","value":1234},)"
      R"("additionalData":{"hmacSignature":"C1feYydvzsbTao50ocI3V/wV+L5QMNQwLEegUSWfJ4A="}}}]})";
  const auto notices = read_events(body);
  ASSERT_TRUE(notices.has_value()) << notices.error().reason;
  EXPECT_EQ(notices->at(0).event, "SYPSP00000000001:AUTHORISATION:true");
  auto item = item_of("REPORT_AVAILABLE");
  item.amount.reset();
  item.merchant_reference.clear();
  EXPECT_EQ(signed_text(item), "SYPSP00000000002:SYPSP00000000001:SwitchyardECOM::::REPORT_AVAILABLE:true");
  EXPECT_TRUE(is_about<payment::Ignored>(notice_of_item(item)));
}

TEST(AdyenSignature, ThePreviousKeyIsGoodForAsLongAsItIsThere) {
  const auto body = request_with({signed_item(item_of("CAPTURE"), other_hmac_key)});
  EXPECT_THAT(refusal(body), HasSubstr("signature: "));
  auto settings = test_webhook_settings();
  settings.hmac_key_previous = other_hmac_key;
  EXPECT_EQ(refusal(body, settings), "none");
  EXPECT_EQ(refusal(request_with({signed_item(item_of("CAPTURE"))}), settings), "none");
}

TEST(AdyenSignature, EachOfTheEightValuesIsSigned) {
  const auto good = signed_item(item_of("CAPTURE"));
  const auto all = {
      +[](EventItem& item) { item.psp_reference += "x"; },
      +[](EventItem& item) { item.original_reference += "x"; },
      +[](EventItem& item) { item.merchant_account += "x"; },
      +[](EventItem& item) { item.merchant_reference += "x"; },
      +[](EventItem& item) { ++item.amount->value; },
      +[](EventItem& item) { item.amount->currency = "USD"; },
      +[](EventItem& item) { item.event_code = "REFUND"; },
      +[](EventItem& item) { item.success = "false"; },
  };
  ASSERT_EQ(refusal(request_with({good})), "none");
  for (const auto change : all) {
    auto item = good;
    change(item);
    EXPECT_THAT(refusal(request_with({item})), HasSubstr("signature: "));
  }
}

TEST(AdyenSignature, WhatIsNoSignatureIsNotBelieved) {
  auto item = item_of("CAPTURE");
  const auto good = signature_of(signed_text(item));
  for (const auto& signature :
       {std::string(), std::string("x"), good.substr(0, 43), good + "=", " " + good, good.substr(0, 43) + "A",
        std::string(44, '='), std::string(44, 'A'), std::string(43, '-') + "=", std::string(10'000, 'A')}) {
    item.signature = signature;
    EXPECT_THAT(refusal(request_with({item})), HasSubstr("signature: ")) << signature;
  }
  // The other alphabet says the same in other letters.
  auto plus = item_of("CAPTURE");
  while (signature_of(signed_text(plus)).find('+') == std::string::npos) ++plus.amount->value;
  plus.signature = replaced(signature_of(signed_text(plus)), "+", "-");
  EXPECT_THAT(refusal(request_with({plus})), HasSubstr("signature: "));
}

TEST(AdyenSignature, WhatIsSignedCannotBeTakenApartInAnotherWay) {
  auto item = item_of("CAPTURE");
  item.merchant_reference = "theirs:SwitchyardECOM:7_0123456789abcdef0123456789abcdef_2";
  item = signed_item(item);
  EXPECT_EQ(refusal(request_with({item})), "none");
  auto other = item;
  other.original_reference += ":SwitchyardECOM:theirs";
  other.merchant_reference = "7_0123456789abcdef0123456789abcdef_2";
  ASSERT_EQ(signed_text(other), signed_text(item));
  EXPECT_THAT(refusal(request_with({other})), HasSubstr("body: "));
}

TEST(AdyenSignature, OneItemThatIsNotSignedSpoilsTheRequest) {
  const auto good = signed_item(item_of("CAPTURE"));
  auto bad = good;
  bad.amount->value = 1'000'000;
  EXPECT_THAT(refusal(request_with({good, bad})), HasSubstr("signature: "));
  EXPECT_THAT(refusal(request_with({bad, good})), HasSubstr("signature: "));
  // Two signatures do not stand for each other.
  auto refund = signed_item(item_of("REFUND"));
  auto capture = good;
  std::swap(refund.signature, capture.signature);
  EXPECT_THAT(refusal(request_with({capture, refund})), HasSubstr("signature: "));
}

TEST(AdyenSignature, ARefusalHoldsNeitherKeyNorSignature) {
  auto bad = signed_item(item_of("CAPTURE"));
  const auto signature = bad.signature;
  bad.success = "false";
  const auto why = refusal(request_with({bad}));
  EXPECT_THAT(why, Not(HasSubstr(signature)));
  EXPECT_THAT(why, Not(HasSubstr(std::string(test_hmac_key))));
}

// --- What events mean --------------------------------------------------------------------------

TEST(AdyenEvent, EveryCodeMeansWhatTheTableSays) {
  for (const auto& code : event_codes) {
    for (const auto* success : {"true", "false"}) {
      const auto notice = notice_of_item(item_of(std::string(code.code), success));
      const bool is_success = notice.event.ends_with(":true");
      EXPECT_EQ(notice.type, code.code);
      EXPECT_EQ(notice.kind, code.kind);
      switch (code.meaning) {
        case EventMeaning::result:
          EXPECT_EQ(is_about<Succeeded>(notice), is_success) << notice.event;
          EXPECT_EQ(is_about<Declined>(notice), !is_success) << notice.event;
          break;
        case EventMeaning::taken_back:
          EXPECT_EQ(is_about<payment::TakenBack>(notice), is_success) << notice.event;
          EXPECT_EQ(is_about<payment::Attention>(notice), !is_success) << notice.event;
          break;
        case EventMeaning::expired:
          EXPECT_TRUE(is_about<payment::HoldExpired>(notice)) << notice.event;
          break;
        case EventMeaning::charged_back:
          EXPECT_EQ(is_about<payment::ChargedBack>(notice), is_success) << notice.event;
          EXPECT_EQ(is_about<payment::Attention>(notice), !is_success) << notice.event;
          break;
        case EventMeaning::attention:
          EXPECT_TRUE(is_about<payment::Attention>(notice)) << notice.event;
          break;
        case EventMeaning::ignored:
          EXPECT_TRUE(is_about<payment::Ignored>(notice)) << notice.event;
          break;
      }
    }
  }
}

// Written down once more, so that a change of the table is seen.
TEST(AdyenEvent, TheCodesThatMoveMoney) {
  const std::pair<const char*, Kind> results[] = {{"AUTHORISATION", Kind::authorize},
                                                  {"CAPTURE", Kind::capture},
                                                  {"CANCELLATION", Kind::void_},
                                                  {"TECHNICAL_CANCEL", Kind::void_},
                                                  {"REFUND", Kind::refund}};
  for (const auto& [code, kind] : results) {
    const auto done = notice_of_item(item_of(code));
    EXPECT_EQ(done.kind, kind);
    ASSERT_TRUE(is_about<Succeeded>(done));
    EXPECT_EQ(std::get<Succeeded>(done.what).psp_reference, "SYPSP00000000002");
    EXPECT_EQ(std::get<Succeeded>(done.what).amount, eur(1500));
    auto item = item_of(code, "false");
    item.reason = "Transaction not captured";
    const auto refused = notice_of_item(item);
    ASSERT_TRUE(is_about<Declined>(refused));
    const auto& declined = std::get<Declined>(refused.what);
    EXPECT_EQ(declined.reason.message, "Transaction not captured");
    EXPECT_EQ(declined.reason.kind, kind == Kind::authorize ? ReasonKind::unknown : ReasonKind::hard_decline);
    EXPECT_EQ(declined.amount, eur(1500));
  }
  const std::pair<const char*, Kind> taken_back[] = {{"CAPTURE_FAILED", Kind::capture},
                                                     {"REFUND_FAILED", Kind::refund},
                                                     {"REFUNDED_REVERSED", Kind::refund}};
  for (const auto& [code, kind] : taken_back) {
    auto item = item_of(code);
    item.reason = "Insufficient funds";
    const auto notice = notice_of_item(item);
    EXPECT_EQ(notice.kind, kind);
    ASSERT_TRUE(is_about<payment::TakenBack>(notice)) << code;
    EXPECT_EQ(std::get<payment::TakenBack>(notice.what).amount, eur(1500));
    EXPECT_THAT(std::get<payment::TakenBack>(notice.what).reason, HasSubstr("Insufficient funds"));
  }
}

TEST(AdyenEvent, ADisputeIsForAPerson) {
  for (const auto* code :
       {"NOTIFICATION_OF_CHARGEBACK", "SECOND_CHARGEBACK", "CHARGEBACK_REVERSED", "CANCEL_OR_REFUND"}) {
    const auto notice = notice_of_item(item_of(code));
    ASSERT_TRUE(is_about<payment::Attention>(notice)) << code;
    EXPECT_THAT(std::get<payment::Attention>(notice.what).reason, HasSubstr("15.00 EUR"));
    EXPECT_EQ(notice.payment, "SYPSP00000000001");
  }
}

TEST(AdyenEvent, TheFirstChargebackTakesTheMoney) {
  const auto notice = notice_of_item(item_of("CHARGEBACK"));
  ASSERT_TRUE(is_about<payment::ChargedBack>(notice));
  EXPECT_EQ(std::get<payment::ChargedBack>(notice.what).amount, eur(1500));
  EXPECT_THAT(std::get<payment::ChargedBack>(notice.what).reason, HasSubstr("a chargeback, 15.00 EUR"));
}

TEST(AdyenEvent, OneThatIsNotKnownIsTakenAndIgnored) {
  for (const auto* code : {"REPORT_AVAILABLE", "SOMETHING_NEW", "capture", "authorisation", "x"}) {
    EXPECT_TRUE(is_about<payment::Ignored>(notice_of_item(item_of(code)))) << code;
  }
}

TEST(AdyenEvent, APaymentIsFoundByItsOwnNameAndAModificationByThePayments) {
  const auto authorisation = notice_of_item(item_of("AUTHORISATION"));
  EXPECT_EQ(authorisation.payment, "SYPSP00000000002");
  EXPECT_EQ(authorisation.psp_reference, "SYPSP00000000002");
  const auto capture = notice_of_item(item_of("CAPTURE"));
  EXPECT_EQ(capture.payment, "SYPSP00000000001");
  EXPECT_EQ(capture.psp_reference, "SYPSP00000000002");
  for (const auto& notice : {authorisation, capture}) {
    EXPECT_EQ(notice.idempotency_key, "7-0123456789abcdef0123456789abcdef-2");
    EXPECT_EQ(notice.reference, "0123456789abcdef0123456789abcdef");
  }
}

TEST(AdyenEvent, ACancelByReferenceIsFoundByTheAuthorization) {
  for (const auto* reference :
       {"7_0123456789abcdef0123456789abcdef_1_cancel", "7_0123456789abcdef0123456789abcdef_1"}) {
    auto item = item_of("TECHNICAL_CANCEL");
    item.merchant_reference = reference;
    const auto notice = notice_of_item(item);
    EXPECT_EQ(notice.idempotency_key, "7-0123456789abcdef0123456789abcdef-1");
    EXPECT_EQ(notice.kind, Kind::void_);
    EXPECT_TRUE(is_about<Succeeded>(notice));
  }
}

TEST(AdyenEvent, TheSameEventHasTheSameNameWhateverElseHasChanged) {
  auto first = item_of("CAPTURE");
  auto second = first;
  second.reason = "another text";
  EXPECT_EQ(notice_of_item(first).event, "SYPSP00000000002:CAPTURE:true");
  EXPECT_EQ(notice_of_item(second).event, notice_of_item(first).event);
  EXPECT_NE(notice_of_item(item_of("CAPTURE", "false")).event, notice_of_item(first).event);
  EXPECT_NE(notice_of_item(item_of("CAPTURE_FAILED")).event, notice_of_item(first).event);
}

TEST(AdyenEvent, AnAmountIsReadInAdyensMinorUnits) {
  auto item = item_of("CAPTURE");
  item.amount = Amount{.value = 500, .currency = "CLP"};
  EXPECT_EQ(std::get<Succeeded>(notice_of_item(item).what).amount, Money(5, *Currency::parse("CLP")));
}

// It is signed, so it is Adyen's, and a refusal would hold all others up.
TEST(AdyenEvent, AnAmountThatIsNoneOfOursIsForAPerson) {
  for (const auto& amount : {Amount{501, "CLP"}, Amount{1, "BIF"}, Amount{1, "ZZZ"}, Amount{0, ""}}) {
    for (const auto* code : {"CAPTURE", "REFUND_FAILED", "CHARGEBACK"}) {
      for (const auto* success : {"true", "false"}) {
        auto item = item_of(code, success);
        item.amount = amount;
        const auto notice = notice_of_item(item);
        ASSERT_TRUE(is_about<payment::Attention>(notice)) << code;
        EXPECT_THAT(std::get<payment::Attention>(notice.what).reason, HasSubstr(to_string(amount)));
      }
    }
    auto ignored = item_of("REPORT_AVAILABLE");
    ignored.amount = amount;
    EXPECT_TRUE(is_about<payment::Ignored>(notice_of_item(ignored)));
  }
}

// A report has none; refused, it would hold up what stands behind it.
TEST(AdyenEvent, AnItemWhoseAmountSaysNothingIsTaken) {
  for (const auto* amount : {"{}", R"({"value":null})", R"({"currency":"","value":null})"}) {
    auto item = item_of("REPORT_AVAILABLE");
    item.amount.reset();
    const auto body = request_with({signed_item(item)});
    const auto with_it =
        replaced(body, R"("paymentMethod")", fmt::format(R"("amount":{},"paymentMethod")", amount));
    EXPECT_EQ(refusal(with_it), "none") << amount;
  }
}

TEST(AdyenEvent, ASuccessOfNoAmountIsForAPersonAndADeclineMayHaveNone) {
  auto item = item_of("CAPTURE");
  item.amount.reset();
  EXPECT_TRUE(is_about<payment::Attention>(notice_of_item(item)));
  item.success = "false";
  const auto notice = notice_of_item(item);
  ASSERT_TRUE(is_about<Declined>(notice));
  EXPECT_EQ(std::get<Declined>(notice.what).amount, std::nullopt);
  EXPECT_THAT(std::get<Declined>(notice.what).reason.message, HasSubstr("CAPTURE"));
}

TEST(AdyenEvent, AllItemsOfARequestAreRead) {
  const auto notices =
      read_events(request_with({signed_item(item_of("CAPTURE")), signed_item(item_of("REFUND", "false")),
                                signed_item(item_of("NEW"))}));
  ASSERT_TRUE(notices.has_value());
  ASSERT_EQ(notices->size(), 3U);
  EXPECT_TRUE(is_about<Succeeded>(notices->at(0)));
  EXPECT_TRUE(is_about<Declined>(notices->at(1)));
  EXPECT_TRUE(is_about<payment::Ignored>(notices->at(2)));
}

// --- The wrong address -------------------------------------------------------------------------

TEST(AdyenEvent, AnEventOfTheOtherEnvironmentIsRefused) {
  const auto item = signed_item(item_of("CAPTURE"));
  auto live = test_webhook_settings();
  live.is_live = true;
  for (const auto* yes : {R"("true")", "true"}) {
    EXPECT_THAT(refusal(request_with({item}, yes)), HasSubstr("body: the event is not of the test"));
    EXPECT_EQ(refusal(request_with({item}, yes), live), "none");
  }
  for (const auto* no : {R"("false")", "false"}) {
    EXPECT_THAT(refusal(request_with({item}, no), live), HasSubstr("body: the event is not of the live"));
    EXPECT_EQ(refusal(request_with({item}, no)), "none");
  }
  for (const auto* neither : {"null", R"("")", R"("TRUE")", "1", "{}"}) {
    EXPECT_THAT(refusal(request_with({item}, neither)), HasSubstr("body: ")) << neither;
    EXPECT_THAT(refusal(request_with({item}, neither), live), HasSubstr("body: ")) << neither;
  }
}

TEST(AdyenEvent, AnEventOfAnotherMerchantAccountIsRefusedUnlessItMeansNothing) {
  auto item = item_of("CAPTURE");
  item.merchant_account = "OtherECOM";
  EXPECT_EQ(refusal(request_with({signed_item(item)})), "body: the event is of another merchant account");
  EXPECT_EQ(refusal(request_with({signed_item(item_of("CAPTURE")), signed_item(item)})),
            "body: the event is of another merchant account");
  auto report = item_of("REPORT_AVAILABLE");
  report.merchant_account = "SwitchyardCompany";
  EXPECT_TRUE(is_about<payment::Ignored>(notice_of_item(report)));
}

// --- What cannot be read -----------------------------------------------------------------------

TEST(AdyenEvent, WhatIsNoRequestOfAdyenIsRefused) {
  for (const auto& body :
       {std::string(), std::string("<html></html>"), std::string("null"), std::string("[]"), std::string("7"),
        std::string("{}"), std::string(R"({"live":"false"})"),
        std::string(R"({"live":"false","notificationItems":[]})"),
        std::string(R"({"live":"false","notificationItems":{}})"),
        std::string(R"({"live":"false","notificationItems":null})"),
        std::string(R"({"live":"false","notificationItems":[1]})"),
        std::string(R"({"live":"false","notificationItems":[{}]})"),
        std::string(R"({"live":"false","notificationItems":[{"NotificationRequestItem":[]}]})"),
        std::string(R"({"live":"false","notificationItems":[{"NotificationRequestItem":{}}]})"),
        std::string(100'000, '['), std::string("{\"live\":\"\xff\"}")}) {
    EXPECT_THAT(refusal(body), HasSubstr("body: ")) << body.substr(0, 100);
  }
}

TEST(AdyenEvent, AMemberOfAWrongTypeIsRefused) {
  const auto good = request_with({signed_item(item_of("CAPTURE"))});
  ASSERT_EQ(refusal(good), "none");
  const std::pair<const char*, const char*> changes[] = {
      {R"("SYPSP00000000002")", "7"},
      {R"("SYPSP00000000002")", R"("")"},
      {R"("SYPSP00000000001")", "[]"},
      {R"("SwitchyardECOM")", "null"},
      {R"("7_0123456789abcdef0123456789abcdef_2")", "{}"},
      {R"("CAPTURE")", "true"},
      {R"("CAPTURE")", R"("")"},
      {R"("success":"true")", R"("success":"yes")"},
      {R"("success":"true")", R"("success":1)"},
      {R"("success":"true")", R"("success":null)"},
      {R"("success":"true",)", ""},
      {R"("value":1500)", R"("value":"1500")"},
      {R"("value":1500)", R"("value":1500.0)"},
      {R"("value":1500)", R"("value":1.5e3)"},
      {R"("value":1500)", R"("value":18446744073709551615)"},
      {R"("value":1500)", R"("value":null)"},
      {R"({"currency":"EUR","value":1500})", R"("15.00 EUR")"},
      {R"("additionalData":{)", R"("additionalData":[],"x":{)"},
      {R"("hmacSignature":")", R"("hmacSignature":7,"x":")"},
      {R"("reason":"")", R"("reason":7)"},
      {R"("eventCode")", R"("pspReference":"SYPSP00000000002","eventCode")"},
  };
  for (const auto& [what, with] : changes) {
    EXPECT_THAT(refusal(replaced(good, what, with)), HasSubstr("body: ")) << with;
  }
  EXPECT_THAT(refusal(good.substr(0, good.size() / 2)), HasSubstr("body: "));
  EXPECT_THAT(refusal(good + "x"), HasSubstr("body: "));
}

TEST(AdyenEvent, WhatIsTooLargeIsRefused) {
  const auto item = signed_item(item_of("CAPTURE"));
  EXPECT_EQ(refusal(request_with(std::vector<EventItem>(64, item))), "none");
  EXPECT_EQ(refusal(request_with(std::vector<EventItem>(65, item))),
            "body: the request has too many notificationItems");
  EXPECT_EQ(refusal(request_with({item}) + std::string(256 * 1024, ' ')),
            "body: the request is too large for an event of Adyen");
  std::string members = R"({"live":"false","a0":0)";
  for (int i = 1; i < 300; ++i) members += R"(,"a)" + std::to_string(i) + R"(":0)";
  EXPECT_THAT(refusal(members + "}"), HasSubstr("body: "));
  std::string values = R"({"live":"false","notificationItems":[0)";
  for (int i = 0; i < 20'000; ++i) values += ",0";
  EXPECT_THAT(refusal(values + "]}"), HasSubstr("body: "));
}

// Whatever is cut out of a request, or put into it, is refused or the same.
TEST(AdyenEvent, NoByteOfASignedRequestCanBeChangedForAnother) {
  const auto item = signed_item(item_of("REFUND"));
  const auto body = request_with({item});
  const auto wanted = read_events(body);
  ASSERT_TRUE(wanted.has_value());
  const EventReader reader(test_webhook_settings());
  for (std::size_t i = 0; i < body.size(); ++i) {
    for (const char other : {'\0', '"', '0', '9', 'A', '{', '\\', '\xff'}) {
      auto changed = body;
      changed[i] = other;
      const auto notices = reader.read(changed);
      if (!notices) continue;
      EXPECT_EQ(notices->at(0).event, wanted->at(0).event);
      EXPECT_EQ(notices->at(0).idempotency_key, wanted->at(0).idempotency_key);
      ASSERT_TRUE(is_about<Succeeded>(notices->at(0)));
      EXPECT_EQ(std::get<Succeeded>(notices->at(0).what).amount, eur(1500));
    }
  }
}

}  // namespace
}  // namespace switchyard::psp::adyen
