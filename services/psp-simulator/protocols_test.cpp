// What every protocol must pass, against the dialect of the program that speaks it, over real sockets: one
// operation is one effect in the PSP's book, whatever became of the answer.
#include <memory>
#include <optional>
#include <string>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "payment/psp_keys.hpp"
#include "psp-simulator/psp_simulator.hpp"
#include "psp/adyen/adyen_protocol.hpp"
#include "psp/adyen/cancel_by_reference.hpp"
#include "psp/http_adapter.hpp"
#include "psp/simulator/simulator_protocol.hpp"
#include "psp/stripe/stripe_protocol.hpp"

namespace switchyard::psp_simulator {
namespace {

using payment::Answer;
using payment::CaptureMethod;
using payment::Declined;
using payment::Found;
using payment::Kind;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::Phase;
using payment::ReasonKind;
using payment::Step;
using payment::Succeeded;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How a protocol is made for the simulator, and what is particular about its PSP.
struct Subject {
  const char* name;
  std::unique_ptr<psp::Protocol> (*make)(const std::string& url);
  // Captures, voids and refunds are only received; a webhook tells their result.
  bool tells_by_webhook = false;
  // It can say that there is nothing under a key, without doing it.
  bool knows_what_is_not_there = false;
};

std::unique_ptr<psp::Protocol> make_simulator(const std::string& url) {
  return std::make_unique<psp::simulator::SimulatorProtocol>(url);
}
std::unique_ptr<psp::Protocol> make_stripe(const std::string& url) {
  return std::make_unique<psp::stripe::StripeProtocol>(
      psp::stripe::Settings{.account = "account", .secret_key = "sk_test_1", .base_url = url});
}
psp::adyen::Settings adyen_settings(const std::string& url) {
  return {.account = "account", .url = url + "/v71", .api_key = "key", .merchant_account = "SwitchyardECOM"};
}
std::unique_ptr<psp::Protocol> make_adyen(const std::string& url) {
  return std::make_unique<psp::adyen::AdyenProtocol>(adyen_settings(url));
}

constexpr const char* payment_methods =
    R"({"stripe":"pm_card_visa","adyen":{"encryptedCardNumber":"test_4111111111111111",)"
    R"("encryptedExpiryMonth":"test_03","encryptedExpiryYear":"test_2030","encryptedSecurityCode":"test_737"}})";

Money euros(std::int64_t minor) {
  return {minor, *Currency::parse("EUR")};
}

class ProtocolTest : public ::testing::TestWithParam<Subject> {
 protected:
  ProtocolTest() {
    simulator_.emplace(folder_.file("ledger.db"), metrics_, log_, clock_);
    server_.emplace(threads_, simulator_->router(), http::Server::Options{.port = 0, .limits = {}});
    server_->start();
    adapter_.emplace(threads_.executor(0), GetParam().make(url()), 100);
    begin_transaction();
  }
  ~ProtocolTest() override {
    threads_.run(0, [this]() -> Task<void> {
      adapter_.reset();
      co_return;
    });
    server_.reset();
  }

  // A new one, of which the PSP knows nothing yet.
  void begin_transaction() {
    auto& transaction = state_.transaction;
    transaction = {.id = {}, .merchant_id = MerchantId{7}, .amount = euros(2000)};
    transaction.derived_reference = "0123456789abcdef0123456789abcd" + std::to_string(++transactions_);
    transaction.payment_method = payment_methods;
    state_.operations.clear();
  }
  // The next operation of the transaction, encoded and about to be sent.
  Step next(Kind kind, std::int64_t amount_minor, bool is_final = true) {
    const auto number = static_cast<std::int32_t>(state_.operations.size()) + 1;
    state_.operations.push_back({.number = number,
                                 .kind = kind,
                                 .amount = euros(amount_minor),
                                 .is_final = is_final,
                                 .phase = Phase::sent,
                                 .psp = "account",
                                 .idempotency_key = payment::numbered_key(state_.transaction, number),
                                 .claims = 1,
                                 .sends = 1,
                                 .sent_at = clock_.now()});
    state_.transaction.operation_count = number;
    auto& operation = state_.operations.back();
    const auto request = adapter_->encode(state_, operation);
    EXPECT_TRUE(request) << request.error().reason;
    operation.request = request.value_or("");
    return {.state = state_, .action = payment::Action::send, .index = state_.operations.size() - 1};
  }
  Step authorization(std::int64_t amount_minor, CaptureMethod method) {
    state_.transaction.amount = euros(amount_minor);
    state_.transaction.capture_method = method;
    return next(Kind::authorize, amount_minor);
  }

  Answer send(const Step& step, milliseconds time = milliseconds(20'000)) {
    auto call = [&]() -> Task<std::optional<Answer>> {
      co_return co_await adapter_->send(step, steady_clock::now() + time);
    };
    return threads_.run(0, std::move(call)).value();
  }
  Found look_up(Step step, Phase phase = Phase::unknown) {
    step.state.operations[step.index].phase = phase;
    auto call = [&]() -> Task<std::optional<Found>> {
      co_return co_await adapter_->look_up(step, clock_.now(), steady_clock::now() + milliseconds(20'000));
    };
    return threads_.run(0, std::move(call)).value();
  }

  // Notes what the PSP said in the transaction, as the machine would.
  template <class Said>
  void note(const Said& said) {
    auto& operation = state_.operations.back();
    if (const auto* succeeded = std::get_if<Succeeded>(&said)) {
      operation.phase = Phase::succeeded;
      operation.psp_reference = succeeded->psp_reference;
    }
    const bool is_first = operation.kind == Kind::authorize && operation.phase == Phase::succeeded;
    if (!is_first) return;
    auto& transaction = state_.transaction;
    transaction.authorized_minor = operation.amount.minor();
    const bool is_held = transaction.capture_method == CaptureMethod::manual;
    (is_held ? transaction.held_minor : transaction.captured_minor) = operation.amount.minor();
  }
  void pay(std::int64_t amount_minor, CaptureMethod method) {
    const auto answer = send(authorization(amount_minor, method));
    ASSERT_TRUE(std::holds_alternative<Succeeded>(answer)) << said(answer);
    EXPECT_EQ(std::get<Succeeded>(answer).amount.minor(), amount_minor);
    note(answer);
  }

  // Done, as far as this PSP says so in an answer.
  template <class Said>
  bool is_done(const Said& answer, Kind kind) {
    if (kind != Kind::authorize && GetParam().tells_by_webhook)
      return std::holds_alternative<Pending>(answer);
    return std::holds_alternative<Succeeded>(answer);
  }
  template <class Said>
  static std::string said(const Said& answer) {
    return std::visit(
        []<class What>(const What& what) -> std::string {
          if constexpr (requires { what.reason.code; }) {
            return "declined: " + what.reason.code + " " + what.reason.message;
          } else if constexpr (requires { what.reason; }) {
            return what.reason;
          } else {
            return "no reason";
          }
        },
        answer);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  void play(const std::string& rule) {
    const http::ClientRequest request{.method = "PUT",
                                      .url = url() + "/script",
                                      .body = R"({"rules":[)" + rule + "]}",
                                      .headers = {"Content-Type: application/json"}};
    ASSERT_EQ(http::send(request).value().status, 200);
  }
  // "charges:approved:captured:refunded:voided" of the transaction.
  std::string book() const {
    const auto reply = http::send({.url = url() + "/charges/counts", .body = {}, .headers = {}}).value();
    const auto reference = "\"reference\":\"" + state_.transaction.derived_reference + "\",\"charges\":";
    const auto at = reply.body.find(reference);
    if (at == std::string::npos) return "nothing";
    auto text = reply.body.substr(at + reference.size());
    text.erase(text.find('}'));
    std::string numbers;
    for (const char c : text) {
      if ((c >= '0' && c <= '9') || c == ',') numbers += c == ',' ? ':' : c;
    }
    return numbers;
  }

  // Sends a step whose first request meets the behaviour, and asks until it is done.
  void do_in_spite_of(const std::string& behaviour, const Step& step) {
    play(R"({"behaviour":")" + behaviour + R"(","requests":1})");
    const auto kind = step.operation().kind;
    const bool is_silent = behaviour.starts_with("time_out");
    auto answer = send(step, milliseconds(is_silent ? 300 : 20'000));
    EXPECT_FALSE(is_done(answer, kind)) << behaviour;
    EXPECT_FALSE(std::holds_alternative<Declined>(answer)) << behaviour << ": " << said(answer);
    auto found = look_up(step);
    const bool is_nothing_there = std::holds_alternative<payment::NoSuchOperation>(found);
    EXPECT_TRUE(!is_nothing_there || GetParam().knows_what_is_not_there) << behaviour;
    if (!is_nothing_there) {
      EXPECT_TRUE(is_done(found, kind)) << behaviour << ": " << said(found);
      note(found);
      return;
    }
    answer = send(step);
    EXPECT_TRUE(is_done(answer, kind)) << behaviour << ": " << said(answer);
    note(answer);
  }

  testing::TempDir folder_;
  const SystemClock clock_;
  Log log_{LogFormat::text, LogLevel::error};
  telemetry::Metrics metrics_;
  IoThreads threads_{2};
  std::optional<PspSimulator> simulator_;
  std::optional<http::Server> server_;
  std::optional<psp::HttpAdapter> adapter_;
  int transactions_ = 9;
  payment::State state_{.transaction = {.id = {}, .merchant_id = MerchantId{7}, .amount = euros(2000)},
                        .operations = {}};
};

TEST_P(ProtocolTest, TakesMoneyAtOnce) {
  pay(2000, CaptureMethod::automatic);
  EXPECT_EQ(book(), "1:1:2000:0:0");
}

TEST_P(ProtocolTest, HoldsAndCapturesAll) {
  pay(2000, CaptureMethod::manual);
  EXPECT_EQ(book(), "1:1:0:0:0");
  const auto answer = send(next(Kind::capture, 2000));
  EXPECT_TRUE(is_done(answer, Kind::capture)) << said(answer);
  EXPECT_EQ(book(), "1:1:2000:0:0");
}

TEST_P(ProtocolTest, CapturesAPartAndReleasesTheRest) {
  pay(2000, CaptureMethod::manual);
  const auto answer = send(next(Kind::capture, 1500));
  EXPECT_TRUE(is_done(answer, Kind::capture)) << said(answer);
  EXPECT_EQ(book(), "1:1:1500:0:0");
}

TEST_P(ProtocolTest, GivesAHoldBack) {
  pay(2000, CaptureMethod::manual);
  const auto answer = send(next(Kind::void_, 2000));
  EXPECT_TRUE(is_done(answer, Kind::void_)) << said(answer);
  EXPECT_EQ(book(), "1:1:0:0:2000");
}

TEST_P(ProtocolTest, RefundsInParts) {
  pay(2000, CaptureMethod::automatic);
  for (const auto part : {500, 700}) {
    const auto answer = send(next(Kind::refund, part));
    EXPECT_TRUE(is_done(answer, Kind::refund)) << said(answer);
    note(answer);
  }
  EXPECT_EQ(book(), "1:1:2000:1200:0");
}

TEST_P(ProtocolTest, TheSameRequestAgainIsTheSameAnswer) {
  const auto step = authorization(2000, CaptureMethod::automatic);
  const auto first = send(step);
  const auto again = send(step);
  ASSERT_TRUE(std::holds_alternative<Succeeded>(first) && std::holds_alternative<Succeeded>(again));
  EXPECT_EQ(std::get<Succeeded>(first).psp_reference, std::get<Succeeded>(again).psp_reference);
  EXPECT_EQ(book(), "1:1:2000:0:0");
}

TEST_P(ProtocolTest, SaysWhetherADeclineIsSoftOrHard) {
  for (const auto& [amount, kind] : {std::pair{200'011, ReasonKind::soft_decline},
                                     {200'012, ReasonKind::soft_decline},
                                     {200'017, ReasonKind::hard_decline}}) {
    const auto answer = send(authorization(amount, CaptureMethod::automatic));
    ASSERT_TRUE(std::holds_alternative<Declined>(answer)) << said(answer);
    EXPECT_EQ(std::get<Declined>(answer).reason.kind, kind) << amount;
  }
  EXPECT_EQ(book(), "3:0:0:0:0") << "each attempt is a charge that is not approved";
}

TEST_P(ProtocolTest, ARefundAboveWhatIsLeftMovesNoMoney) {
  pay(2000, CaptureMethod::automatic);
  const auto answer = send(next(Kind::refund, 2001));
  const bool is_refused = std::holds_alternative<Declined>(answer) ||
                          (GetParam().tells_by_webhook && std::holds_alternative<Pending>(answer));
  EXPECT_TRUE(is_refused) << said(answer);
  EXPECT_EQ(book(), "1:1:2000:0:0");
}

TEST_P(ProtocolTest, AResultThatComesLaterIsPending) {
  play(R"({"behaviour":"pending","delay_ms":60000})");
  const auto step = authorization(2000, CaptureMethod::automatic);
  const auto answer = send(step);
  EXPECT_TRUE(std::holds_alternative<Pending>(answer)) << said(answer);
  EXPECT_TRUE(std::holds_alternative<Pending>(look_up(step)));
  EXPECT_EQ(book(), "1:0:0:0:0");
}

// Where nobody can be asked, a webhook says it.
TEST_P(ProtocolTest, WhatWasPendingIsFoundOnceItIsDone) {
  play(R"({"behaviour":"pending","delay_ms":200})");
  auto step = authorization(2000, CaptureMethod::automatic);
  const auto answer = send(step);
  ASSERT_TRUE(std::holds_alternative<Pending>(answer)) << said(answer);
  step.state.operations[step.index].psp_reference = std::get<Pending>(answer).psp_reference;
  ASSERT_TRUE(testing::eventually([&] { return book() == "1:1:2000:0:0"; }));
  const auto found = look_up(step, Phase::pending);
  EXPECT_EQ(std::holds_alternative<Succeeded>(found), !GetParam().tells_by_webhook) << said(found);
}

TEST_P(ProtocolTest, WhoIsTurnedAwayUnreadHasSentNothing) {
  play(R"({"behaviour":"too_many_requests","requests":1})");
  const auto step = authorization(2000, CaptureMethod::automatic);
  const auto answer = send(step);
  EXPECT_TRUE(std::holds_alternative<NotSent>(answer)) << said(answer);
  EXPECT_EQ(book(), "nothing");
  EXPECT_TRUE(std::holds_alternative<Succeeded>(send(step)));
}

TEST_P(ProtocolTest, AKeyThatIsInUseIsAskedForAgain) {
  play(R"({"behaviour":"slow","delay_ms":1500,"requests":1})");
  const auto step = authorization(2000, CaptureMethod::automatic);
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(send(step, milliseconds(300))));
  for (;;) {
    const auto found = look_up(step);
    if (std::holds_alternative<OutcomeUnknown>(found)) continue;
    EXPECT_TRUE(std::holds_alternative<Succeeded>(found));
    break;
  }
  EXPECT_EQ(book(), "1:1:2000:0:0");
}

// All that can befall a request whose effect may or may not have come about.
constexpr const char* faults[] = {"time_out_before_charge", "time_out_after_charge",
                                  "error_before_charge",    "error_after_charge",
                                  "reset_before_charge",    "reset_after_charge",
                                  "garbage_before_charge",  "garbage_after_charge",
                                  "transient_error",        "in_use"};

TEST_P(ProtocolTest, AnAuthorizationIsDoneOnceWhateverBecameOfItsAnswer) {
  for (const auto* fault : faults) {
    begin_transaction();
    do_in_spite_of(fault, authorization(2000, CaptureMethod::automatic));
    EXPECT_EQ(book(), "1:1:2000:0:0") << fault;
  }
}

// Stripe keeps a 500 for ever, and shows the payment in its list; Adyen has nothing to show it in.
TEST_P(ProtocolTest, AnErrorThatIsKeptForEverIsNoSecondCharge) {
  play(R"({"behaviour":"error_kept_after_charge","requests":1})");
  auto step = authorization(2000, CaptureMethod::automatic);
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(send(step)));
  bool is_found = false;
  std::string last;
  for (int asked = 0; asked < 8 && !is_found; ++asked) {
    step.state.operations[step.index].look_ups = asked;
    const auto found = look_up(step);
    is_found = std::holds_alternative<Succeeded>(found);
    last = said(found);
  }
  EXPECT_EQ(is_found, !GetParam().tells_by_webhook) << last;
  EXPECT_EQ(book(), "1:1:2000:0:0");
}

TEST_P(ProtocolTest, ACaptureIsDoneOnceWhateverBecameOfItsAnswer) {
  for (const auto* fault : faults) {
    begin_transaction();
    pay(2000, CaptureMethod::manual);
    do_in_spite_of(fault, next(Kind::capture, 1500));
    EXPECT_EQ(book(), "1:1:1500:0:0") << fault;
  }
}

TEST_P(ProtocolTest, AVoidIsDoneOnceWhateverBecameOfItsAnswer) {
  for (const auto* fault : faults) {
    begin_transaction();
    pay(2000, CaptureMethod::manual);
    do_in_spite_of(fault, next(Kind::void_, 2000));
    EXPECT_EQ(book(), "1:1:0:0:2000") << fault;
  }
}

TEST_P(ProtocolTest, ARefundIsDoneOnceWhateverBecameOfItsAnswer) {
  pay(2000, CaptureMethod::automatic);
  int refunded_minor = 0;
  for (const auto* fault : faults) {
    do_in_spite_of(fault, next(Kind::refund, 100));
    refunded_minor += 100;
    EXPECT_EQ(book(), "1:1:2000:" + std::to_string(refunded_minor) + ":0") << fault;
  }
}

constexpr Subject adyen_subject{.name = "Adyen", .make = make_adyen, .tells_by_webhook = true};

INSTANTIATE_TEST_SUITE_P(
    Every, ProtocolTest,
    ::testing::Values(Subject{.name = "Simulator", .make = make_simulator, .knows_what_is_not_there = true},
                      Subject{.name = "Stripe", .make = make_stripe}, adyen_subject),
    [](const auto& subject) { return std::string(subject.param.name); });

class AdyenProtocolTest : public ProtocolTest {};

// Before another PSP is tried, Adyen is told to let go of whatever there is.
TEST_P(AdyenProtocolTest, AnAuthorizationWhoseOutcomeIsLostIsCancelledByReference) {
  play(R"({"behaviour":"time_out_after_charge","requests":1})");
  const auto step = authorization(2000, CaptureMethod::manual);
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(send(step, milliseconds(300))));
  EXPECT_EQ(book(), "1:1:0:0:0");
  const auto settings = adyen_settings(url());
  const auto cancel = psp::adyen::cancel_by_reference(settings, step);
  for (int i = 0; i < 2; ++i) {
    const auto answer = psp::adyen::read_cancel_by_reference(settings, step, http::send(cancel).value(), {});
    EXPECT_TRUE(std::holds_alternative<Pending>(answer)) << said(answer);
  }
  EXPECT_EQ(book(), "1:1:0:0:2000");
}

INSTANTIATE_TEST_SUITE_P(Only, AdyenProtocolTest, ::testing::Values(adyen_subject),
                         [](const auto& subject) { return std::string(subject.param.name); });

}  // namespace
}  // namespace switchyard::psp_simulator
