// Drives the whole core through hours of faults: merchants who ask for everything at once and twice, workers
// that die, stall past their lease, come back late and have wrong clocks, a network that loses, delays and
// refuses, a PSP that answers late, lies, and goes back on its word, people, a store restored from an older
// copy. What must hold whatever happens: the totals are what the PSP's book says, never over; one effect of
// an operation; nothing stuck; what is over stays as it is.
//
// Everything comes from one seed, which is printed; SIMULATION_SEED=<n> runs that simulation again, and
// SIMULATION_PAYMENTS=<n> a larger one.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <variant>

#include <gtest/gtest.h>

#include "payment/notice.hpp"
#include "payment/psp_keys.hpp"
#include "payment/simulation/psp_model.hpp"
#include "payment/simulation/store_model.hpp"
#include "payment/simulation/timeline.hpp"
#include "payment/totals.hpp"

namespace switchyard::payment::simulation {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// In which a key is held depends on the simulation.
const RetryPolicy patience{.pending_max = hours(3)};
// The PSP's word, less than it does: workers' clocks are some minutes wrong.
constexpr minutes key_promised_for{10};
constexpr minutes key_held_for{16};
constexpr seconds clock_skew{60};
// Of one worker at once.
constexpr int calls_max = 50;
// Nothing that was sent is on its way for so long.
constexpr minutes person_waits{15};
constexpr std::string_view installation = "0123456789abcdef0123456789abcdef";

struct Wish {
  Request request;
  std::string key;
  bool is_accepted = false;
  Timestamp accepted_at{};
  int tries = 0;
  bool is_sent_again = false;
  bool is_given_up = false;
};

struct Payment {
  MerchantId merchant;
  Money amount;
  CaptureMethod method = CaptureMethod::automatic;
  std::string key{};
  TransactionId id{};
  bool is_made = false;
  Timestamp made_at{};
  std::vector<Wish> wishes{};
  // In the order in which they were accepted.
  std::vector<std::size_t> accepted{};
  // What was accepted and forgotten is asked for first.
  bool is_catching_up = false;
};

// One book each. A payment goes to one of them, by its id, and where it may to the other.
class SomeAccounts final : public Accounts {
 public:
  explicit SomeAccounts(std::vector<std::string> names) : names_(std::move(names)) {}

  std::expected<std::string, NoAccount> choose(const State& state, Timestamp) const override {
    const std::size_t first = state.transaction.id.value.bytes.back() % names_.size();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const auto& name = names_[(first + i) % names_.size()];
      if (!was_asked(state, name)) return name;
    }
    return std::unexpected(NoAccount{"all were asked"});
  }
  bool has(std::string_view account) const override {
    return std::ranges::find(names_, account) != names_.end();
  }
  std::expected<std::string, Rejected> encode(const State& state, const Operation& operation) const override {
    return encode_for_model(state, operation);
  }

 private:
  std::vector<std::string> names_;
};

struct Worker {
  SomeAccounts accounts;
  // What its clock is ahead.
  milliseconds skew{0};
  // Raised by its death: what an earlier life left behind does nothing any more.
  int life = 0;
  // Under way.
  int calls = 0;
};

// One claim, with what the PSP has said to it, for the case that the state changes meanwhile.
struct Call {
  int life = 0;
  Step claimed;
  Step step;
  std::vector<std::variant<Answer, Found>> said;
};

struct Options {
  bool restores = false;
  int payments = 0;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Options options)
      : options_(options),
        policy_(policy_of(options)),
        random_(seed),
        psp_(random_, timeline_, options.restores ? for_ever : key_held_for),
        other_psp_(random_, timeline_, options.restores ? for_ever : key_held_for) {
    for (auto* psp : {&psp_, &other_psp_}) {
      psp->notify = [this](const std::string& key) { notify_twice(key); };
    }
    store_.notify_person = [this](TransactionId id, std::int32_t number) { give_to_a_person(id, number); };
    // Two PSPs: after a restore the choice of one would have to be the same again. Some know one only.
    const std::vector<std::string> one{"psp"};
    const auto most = options.restores ? one : std::vector<std::string>{"psp", "other"};
    const auto last = options.restores ? one : std::vector<std::string>{"other"};
    for (const int skew_s : {0, 0, 180}) workers_.push_back({SomeAccounts(most), seconds(skew_s)});
    workers_.push_back({SomeAccounts(one), seconds(-240)});
    workers_.push_back({SomeAccounts(last), seconds(0)});
  }

  void run() {
    payments_.reserve(static_cast<std::size_t>(options_.payments));
    for (int i = 0; i < options_.payments; ++i) plan_payment();
    for (auto& worker : workers_) poll_again_and_again(worker);
    plan_wrong_clocks();
    timeline_.after(random_.time_between(minutes(20), minutes(60)), [this] {
      are_look_ups_down_ = true;
      timeline_.after(minutes(25), [this] { are_look_ups_down_ = false; });
    });
    if (options_.restores) {
      timeline_.after(random_.time_between(minutes(20), minutes(50)), [this] { take_a_copy(); });
    }
    timeline_.run();
  }

  void check();
  void check_that_it_was_hard() const;
  std::size_t operations() const {
    std::size_t count = forgotten_operations_;
    for (const auto& [id, state] : store_.rows()) count += state.operations.size();
    return count;
  }

 private:
  // A merchant who sends again what was forgotten is charged once only while the PSP keeps the key.
  static RetryPolicy policy_of(const Options& options) {
    auto policy = patience;
    if (!options.restores) policy.key_held_for = key_promised_for;
    return policy;
  }

  // --- Merchants -------------------------------------------------------------------------------

  void plan_payment() {
    const auto index = payments_.size();
    payments_.push_back({.merchant = {random_.between(1, 20)},
                         .amount = Money(random_.between(1, random_.happens(100) ? 3 : 10'000), usd)});
    auto& payment = payments_.back();
    payment.method = random_.happens(500) ? CaptureMethod::automatic : CaptureMethod::manual;
    // Two merchants number their orders alike.
    const auto order = ++orders_[payment.merchant];
    if (has_key()) payment.key = "order " + std::to_string(order);
    const auto asked_at = random_.time_between(seconds(0), hours(1));
    timeline_.after(asked_at, [this, index] { pay(index); });
    if (random_.happens(50)) timeline_.after(asked_at, [this, index] { pay(index); });
    auto wished_at = asked_at;
    for (auto count = random_.between(0, 6); count > 0; --count) {
      // Many beside the one before.
      if (!random_.happens(400)) wished_at += random_.time_between(seconds(1), minutes(20));
      plan_wish(index, wished_at);
    }
  }

  bool has_key() { return options_.restores || random_.happens(700); }

  void plan_wish(std::size_t index, milliseconds wished_at) {
    auto& payment = payments_[index];
    const auto number = payment.wishes.size();
    const bool is_manual = payment.method == CaptureMethod::manual;
    Wish wish;
    auto& request = wish.request;
    const auto dice = random_.between(1, 100);
    request.kind = dice <= (is_manual ? 50 : 95)   ? Kind::refund
                   : dice <= (is_manual ? 85 : 97) ? Kind::capture
                                                   : Kind::void_;
    request.is_final = request.kind != Kind::capture || random_.happens(400);
    if (request.kind != Kind::void_ && !random_.happens(300)) {
      request.amount_minor = random_.between(1, payment.amount.minor() / (random_.happens(700) ? 2 : 1) + 1);
    }
    if (!payment.key.empty() && has_key()) {
      const auto before = std::ranges::count_if(
          payment.wishes, [&](const Wish& other) { return other.request.kind == request.kind; });
      wish.key = payment.key + (before == 0 ? "" : " again " + std::to_string(before));
      request.psp_key = derived_key(installation, payment.merchant, wish.key, request.kind);
    }
    payment.wishes.push_back(std::move(wish));
    timeline_.after(wished_at, [this, index, number] { ask(index, number); });
    if (random_.happens(100)) timeline_.after(wished_at, [this, index, number] { ask(index, number); });
  }

  std::optional<Key> key_of(const Payment& payment, Kind kind, const std::string& key) const {
    return key.empty() ? std::nullopt : std::optional(Key{payment.merchant, kind, key});
  }

  void pay(std::size_t index) {
    auto& payment = payments_[index];
    if (payment.is_made && payment.key.empty()) return;
    if (random_.happens(10) && !payment.key.empty()) {
      ++requests_lost_;
      return timeline_.after(seconds(5), [this, index] { pay(index); });
    }
    const auto now = timeline_.now();
    Transaction transaction{.id = {random_.uuid()},
                            .merchant_id = payment.merchant,
                            .amount = payment.amount,
                            .capture_method = payment.method,
                            .next_action_at = now,
                            .created_at = now,
                            .updated_at = now};
    if (!payment.key.empty()) {
      transaction.derived_reference =
          derived_key(installation, payment.merchant, payment.key, Kind::authorize);
    }
    auto state = accepted(std::move(transaction));
    const auto id = state.transaction.id;
    const auto stored = store_.create(std::move(state), key_of(payment, Kind::authorize, payment.key));
    if (stored == id) {
      hint();
      maybe_give_to_another_worker(id);
    } else {
      ++replays_;
      EXPECT_TRUE(!payment.is_made || payment.id == stored) << "one key, two transactions";
    }
    if (random_.happens(10) && !payment.key.empty()) {
      ++answers_to_merchants_lost_;
      return timeline_.after(seconds(5), [this, index] { pay(index); });
    }
    if (payment.is_made) return;
    payment.id = stored;
    payment.is_made = true;
    payment.made_at = now;
    if (payment.is_catching_up) catch_up(index, 0);
  }

  // Whoever was refused asks again some times, if that may change.
  void ask(std::size_t index, std::size_t number) {
    auto& payment = payments_[index];
    auto& wish = payment.wishes[number];
    const bool must_wait = !payment.is_made || (payment.is_catching_up && !wish.is_sent_again);
    if (must_wait) return ask_later(index, number);
    if (wish.is_accepted && wish.key.empty()) return;
    if (random_.happens(10)) {
      ++requests_lost_;
      return ask_later(index, number);
    }
    auto taken = store_.take(payment.id, key_of(payment, wish.request.kind, wish.key), By::merchant,
                             [&](State state) { return decide(std::move(state), wish); });
    if (taken.refusal) return refused(index, number, *taken.refusal);
    if (taken.was_replayed) ++replays_;
    hint();
    if (random_.happens(10) && !wish.key.empty()) {
      ++answers_to_merchants_lost_;
      return ask_later(index, number);
    }
    if (!wish.is_accepted) payment.accepted.push_back(number);
    if (!wish.is_accepted) wish.accepted_at = timeline_.now();
    wish.is_accepted = true;
  }

  std::expected<std::optional<Step>, Refusal> decide(State state, const Wish& wish) const {
    auto asked = request(std::move(state), wish.request, timeline_.now());
    if (!asked) return std::unexpected(asked.error());
    const auto index = asked->operations.size() - 1;
    return Step{std::move(*asked), Action::none, index};
  }

  void refused(std::size_t index, std::size_t number, const Refusal& refusal) {
    ++(refusal.why == Refusal::Why::over_what_is_left ? over_ : wrong_state_);
    const auto& state = store_.at(payments_[index].id);
    const bool may_change = std::ranges::any_of(
        state.operations, [](const Operation& operation) { return is_open(operation.phase); });
    if (may_change || state.operations.empty()) return ask_later(index, number);
    payments_[index].wishes[number].is_given_up = true;
  }

  void ask_later(std::size_t index, std::size_t number) {
    auto& wish = payments_[index].wishes[number];
    wish.is_given_up = ++wish.tries > (wish.is_sent_again ? 200 : 8);
    if (wish.is_given_up) return;
    timeline_.after(random_.time_between(seconds(10), minutes(4)),
                    [this, index, number] { ask(index, number); });
  }

  // --- Workers ---------------------------------------------------------------------------------

  Timestamp time_of(const Worker& worker) const { return timeline_.now() + worker.skew; }

  void poll_again_and_again(Worker& worker) {
    poll(worker);
    if (timeline_.is_quiet() && store_.is_settled()) return;
    const bool other = !worker.accounts.has("psp");
    timeline_.in_the_background(random_.time_between(other ? seconds(20) : seconds(2), seconds(40)),
                                [this, &worker] { poll_again_and_again(worker); });
  }

  // To whoever listens: it may be lost, come late, and come twice.
  void hint() {
    for (auto times = random_.between(0, 2); times > 0; --times) {
      auto& worker = workers_[static_cast<std::size_t>(random_.between(0, 3))];
      timeline_.in_the_background(random_.time_between(milliseconds(0), seconds(3)),
                                  [this, &worker] { poll(worker); });
    }
  }

  void poll(Worker& worker) {
    const auto now = time_of(worker);
    const auto ahead = now + longest_delay(patience) + clock_skew;
    const auto room = std::max(calls_max - worker.calls, 0);
    const auto limit =
        std::min(static_cast<std::size_t>(random_.between(1, 16)), static_cast<std::size_t>(room));
    auto steps = store_.take_due(now, ahead, limit, [&](State state) {
      return claim(std::move(state), worker.accounts, now, policy_);
    });
    for (auto& step : steps) {
      // After the commit of the intent, and before the effect.
      if (dies_now(worker)) return;
      auto call = std::make_shared<Call>(Call{worker.life, step, step, {}});
      if (call->step.action == Action::none) {
        ++elsewhere_;
      } else {
        ++worker.calls;
        call_psp(worker, call);
      }
    }
  }

  static void kill(Worker& worker) {
    ++worker.life;
    worker.calls = 0;
  }

  bool dies_now(Worker& worker) {
    if (!random_.happens(4)) return false;
    kill(worker);
    ++deaths_;
    return true;
  }

  PspModel& psp_of(const std::string& name) { return name == "other" ? other_psp_ : psp_; }
  const PspModel& psp_of(const std::string& name) const { return name == "other" ? other_psp_ : psp_; }

  void call_psp(Worker& worker, const std::shared_ptr<Call>& call) {
    auto takes = random_.time_between(milliseconds(5), seconds(3));
    // The whole process stands still, past its lease and back.
    if (random_.happens(30)) takes += random_.time_between(patience.lease, patience.lease * 4);
    if (call->step.action == Action::look_up) {
      look_up(worker, call, takes);
    } else {
      send(worker, call, takes);
    }
  }

  // A few whose every answer is lost, and a few that can never be looked up, for the end of the road.
  static bool is_unanswered(const Call& call) { return call.step.state.transaction.amount.minor() % 97 == 3; }
  static bool is_silent(const Call& call) { return call.step.state.transaction.amount.minor() % 97 == 4; }

  void send(Worker& worker, const std::shared_ptr<Call>& call, milliseconds takes) {
    const auto& operation = call->step.operation();
    EXPECT_FALSE(operation.request.empty());
    EXPECT_TRUE(worker.accounts.has(operation.psp));
    const auto dice = is_unanswered(*call) ? 90 : random_.between(1, 100);
    auto& psp = psp_of(operation.psp);
    if (dice <= 12) return hear(worker, call, Answer(NotSent{"connection refused"}), takes);
    if (dice <= 16) return hear(worker, call, Answer(OutcomeUnknown{"lost on the way"}), takes);
    if (dice <= 24) {
      timeline_.after(random_.time_between(seconds(0), seconds(120)),
                      [this, &psp, key = operation.idempotency_key, bytes = operation.request,
                       was_restored = restored_at_.has_value()] {
                        ++late_arrivals_;
                        psp.receive(key, bytes, restored_at_.has_value() != was_restored);
                      });
      return hear(worker, call, Answer(OutcomeUnknown{"time-out"}), takes);
    }
    timeline_.after(takes / 2, [this, &worker, call, &psp, takes, dice,
                                was_restored = restored_at_.has_value()] {
      const auto& sent = call->step.operation();
      auto answer = psp.receive(sent.idempotency_key, sent.request, restored_at_.has_value() != was_restored);
      if (dice > 85) answer = OutcomeUnknown{dice > 93 ? "garbage" : "the answer was lost"};
      if (random_.happens(2)) answer = Contradicted{"another one's answer", {}};
      hear(worker, call, std::move(answer), takes / 2);
    });
  }

  void look_up(Worker& worker, const std::shared_ptr<Call>& call, milliseconds takes) {
    ++look_ups_;
    if (are_look_ups_down_ || is_unanswered(*call) || is_silent(*call) || random_.happens(150)) {
      return hear(worker, call, Found(OutcomeUnknown{"HTTP 502"}), takes);
    }
    if (random_.happens(80)) return hear(worker, call, Found(NotSent{"connection refused"}), takes);
    timeline_.after(takes / 2, [this, &worker, call, takes] {
      const auto& operation = call->step.operation();
      auto what = psp_of(operation.psp).look_up(operation.idempotency_key);
      if (std::holds_alternative<NoSuchOperation>(what)) ++nothing_found_;
      if (random_.happens(2)) what = Contradicted{"another one's charge", {}};
      hear(worker, call, std::move(what), takes / 2);
    });
  }

  Step apply(const Worker& worker, Step step, const std::variant<Answer, Found>& said) const {
    const auto now = time_of(worker);
    if (const auto* answer = std::get_if<Answer>(&said))
      return answered(std::move(step), *answer, worker.accounts, now, policy_);
    return found(std::move(step), std::get<Found>(said), worker.accounts, now, policy_);
  }

  void hear(Worker& worker, const std::shared_ptr<Call>& call, std::variant<Answer, Found> said,
            milliseconds after) {
    timeline_.after(after, [this, &worker, call, said = std::move(said)] {
      if (worker.life != call->life || dies_now(worker)) return;
      call->said.push_back(said);
      call->step = apply(worker, std::move(call->step), said);
      if (call->step.action != Action::none) return call_psp(worker, call);
      --worker.calls;
      save(worker, call);
      // After the commit, and before anything that it would do next.
      const auto next = store_.at(call->step.state.transaction.id).transaction.next_action_at;
      if (!dies_now(worker) && next && *next <= timeline_.now()) hint();
    });
  }

  void save(Worker& worker, const std::shared_ptr<Call>& call) {
    if (random_.happens(20)) {
      ++unsaved_;
      return;
    }
    if (has_failed_over(*call)) return save_late(worker, *call);
    const bool is_saved = store_.commit(call->step.state);
    if (!is_saved) return save_late(worker, *call);
    if (!random_.happens(50)) return;
    // The commit's own answer is lost, and it is sent again.
    ++saved_twice_;
    timeline_.after(random_.time_between(seconds(0), seconds(20)), [this, &worker, call] {
      if (worker.life == call->life && !store_.commit(call->step.state)) save_late(worker, *call);
    });
  }

  // Another operation has been added, which needs the lock.
  static bool has_failed_over(const Call& call) {
    return call.step.state.operations.size() > call.claimed.state.operations.size();
  }

  void save_late(const Worker& worker, const Call& call) {
    if (has_failed_over(call)) ++failed_over_;
    bool is_heard = false;
    store_.take(call.step.state.transaction.id, {}, By::worker, [&](State state) {
      auto step = caught_up(std::move(state), claim_of(call.claimed));
      is_heard = step.has_value();
      for (std::size_t i = 0; is_heard && i < call.said.size(); ++i) {
        step = apply(worker, std::move(*step), call.said[i]);
      }
      return step;
    });
    ++(is_heard ? saved_late_ : stale_);
  }

  // --- Workers that are not ours ---------------------------------------------------------------

  void maybe_give_to_another_worker(TransactionId id) {
    if (options_.restores || !random_.happens(30)) return;
    timeline_.after(milliseconds(1), [this, id] {
      const auto dice = random_.between(1, 3);
      if (dice == 1) settle_elsewhere(id, ChargedElsewhere{});
      if (dice == 2) settle_elsewhere(id, FailedElsewhere{"ValueError: no"});
      if (dice == 3) settle_elsewhere(id, UnknownElsewhere{"the worker died"});
      // `rq requeue`
      if (dice == 2) timeline_.after(minutes(1), [this, id] { settle_elsewhere(id, ChargedElsewhere{}); });
    });
  }

  void settle_elsewhere(TransactionId id, const Elsewhere& outcome) {
    store_.take(id, {}, By::other_worker, [&](State state) -> std::optional<Step> {
      if (!may_settle(state, "rq-worker", outcome)) return std::nullopt;
      ++settled_elsewhere_;
      auto settled = settle(std::move(state), "rq-worker", outcome, timeline_.now());
      const auto index = settled.operations.size() - 1;
      return Step{std::move(settled), Action::none, index};
    });
  }

  // --- A PSP that goes back on its word, and people --------------------------------------------

  void notify_twice(const std::string& key) {
    heard_at_[key] = timeline_.now();
    for (auto times = random_.between(1, 2); times > 0; --times) deliver_later(key, 0);
  }

  void deliver_later(const std::string& key, int tries) {
    if (tries > 300) return;
    timeline_.after(random_.time_between(milliseconds(10), minutes(3)),
                    [this, key, tries] { deliver(key, tries); });
  }

  void deliver(const std::string& key, int tries) {
    const auto place = store_.find_operation(key);
    if (!place) return deliver_later(key, tries + 1);
    const auto index = static_cast<std::size_t>(place->number - 1);
    const auto operation = store_.at(place->id).operations.at(index);
    const auto notice = notice_about(key, operation);
    const SomeAccounts accounts({operation.psp});
    auto how = Noticed::How::nothing_new;
    heard_at_[key] = timeline_.now();
    store_.take(place->id, {}, By::psp, [&](State state) -> std::optional<Step> {
      auto noticed = notified(std::move(state), operation.psp, notice, accounts, timeline_.now(), policy_);
      how = noticed.how;
      if (how != Noticed::How::changed) return std::nullopt;
      if (std::holds_alternative<HoldExpired>(notice.what)) {
        ++holds_ended_;
      } else {
        ++(noticed.state.operations[index].taken_back ? taken_back_ : not_taken_back_);
      }
      return Step{std::move(noticed.state), Action::none, index};
    });
    if (how == Noticed::How::too_early) deliver_later(key, tries + 1);
  }

  Notice notice_about(const std::string& key, const Operation& operation) {
    const auto& charge = psp_of(operation.psp).find(key)->charge;
    Notice notice{.event = key, .type = "failed", .idempotency_key = key, .kind = operation.kind};
    if (psp_of(operation.psp).find_charge(charge)->has_run_out && operation.kind == Kind::authorize) {
      notice.payment = charge;
      notice.what = HoldExpired{"the hold has run out"};
    } else {
      notice.what = TakenBack{.reason = "it failed after all", .amount = operation.amount};
    }
    return notice;
  }

  void give_to_a_person(TransactionId id, std::int32_t number) {
    // Some are never looked into.
    if (random_.happens(200)) return;
    timeline_.after(person_waits, [this, id, number] { look_into(id, number, 0); });
  }

  void look_into(TransactionId id, std::int32_t number, int tries) {
    const auto index = static_cast<std::size_t>(number - 1);
    const bool is_there = store_.has(id) && index < store_.at(id).operations.size();
    if (!is_there || tries > 60) return;
    const auto& operation = store_.at(id).operations[index];
    if (operation.phase != Phase::manual_review) return;
    const auto* effect = psp_of(operation.psp).find(operation.idempotency_key);
    const bool is_undecided =
        effect != nullptr && (effect->result == PspModel::Result::pending || effect->will_be_put_back);
    bool is_resolved = false;
    if (!is_undecided) {
      if (effect != nullptr && effect->amount != operation.amount.minor()) return;
      const Resolution resolution{
          .succeeded = effect != nullptr && effect->happened(),
          .psp_reference = effect != nullptr && operation.kind == Kind::authorize ? effect->charge : "",
          .note = "looked into"};
      store_.take(id, {}, By::person, [&](State state) -> std::optional<Step> {
        auto resolved = resolve(std::move(state), number, resolution, timeline_.now());
        is_resolved = resolved.has_value();
        if (!is_resolved) return std::nullopt;
        ++(resolution.succeeded ? resolved_as_succeeded_ : resolved_as_failed_);
        return Step{std::move(*resolved), Action::none, index};
      });
    }
    if (is_resolved) return hint();
    timeline_.after(minutes(10), [this, id, number, tries] { look_into(id, number, tries + 1); });
  }

  // --- Wrong clocks and old copies -------------------------------------------------------------

  void plan_wrong_clocks() {
    for (const auto jump : {hours(24), hours(-24)}) {
      auto& worker = workers_[static_cast<std::size_t>(random_.between(0, 3))];
      const auto right = worker.skew;
      timeline_.after(random_.time_between(minutes(5), minutes(60)), [this, &worker, jump, right] {
        worker.skew = jump;
        timeline_.after(random_.time_between(seconds(10), minutes(2)),
                        [&worker, right] { worker.skew = right; });
      });
    }
  }

  void take_a_copy() {
    const auto taken_at = timeline_.now();
    timeline_.after(random_.time_between(minutes(5), minutes(30)),
                    [this, taken_at, copy = store_] { restore(copy, taken_at); });
  }

  // With everything stopped; what is on its way to the PSPs still arrives there.
  void restore(const StoreModel& copy, Timestamp taken_at) {
    const auto lost = operations();
    store_ = copy;
    forgotten_operations_ = lost - operations();
    restored_at_ = timeline_.now();
    for (auto& worker : workers_) kill(worker);
    psp_.forgets_nothing_when_the_store_does();
    for (const auto& [key, at] : std::map(heard_at_)) {
      if (at + minutes(5) >= taken_at) deliver_later(key, 0);
    }
    for (const auto& [id, state] : store_.rows()) {
      for (const auto& operation : state.operations) {
        if (operation.phase == Phase::manual_review) give_to_a_person(id, operation.number);
      }
    }
    for (std::size_t index = 0; index < payments_.size(); ++index) ask_again(index, taken_at);
  }

  // The merchant sends what may have been forgotten, with the same keys, in the same order.
  void ask_again(std::size_t index, Timestamp taken_at) {
    auto& payment = payments_[index];
    const bool is_forgotten = payment.is_made && payment.made_at >= taken_at;
    std::vector<std::size_t> kept;
    for (const auto number : payment.accepted) {
      auto& wish = payment.wishes[number];
      if (!is_forgotten && wish.accepted_at < taken_at) {
        kept.push_back(number);
        continue;
      }
      wish.is_accepted = false;
      wish.is_sent_again = true;
      wish.tries = 0;
      payment.is_catching_up = true;
    }
    const auto forgotten = std::exchange(payment.accepted, kept);
    again_[index].assign(forgotten.begin() + static_cast<std::ptrdiff_t>(kept.size()), forgotten.end());
    if (is_forgotten) {
      payment.is_made = false;
      payment.is_catching_up = true;
      timeline_.after(random_.time_between(seconds(1), minutes(5)), [this, index] { pay(index); });
    } else if (payment.is_catching_up) {
      catch_up(index, 0);
    }
  }

  void catch_up(std::size_t index, std::size_t next) {
    auto& payment = payments_[index];
    const auto& again = again_[index];
    const auto is_over = [&](const Wish& wish) { return wish.is_accepted || wish.is_given_up; };
    while (next < again.size() && is_over(payment.wishes[again[next]])) ++next;
    if (next == again.size()) {
      payment.is_catching_up = false;
      return;
    }
    if (payment.wishes[again[next]].tries == 0) ask(index, again[next]);
    timeline_.after(minutes(1), [this, index, next] { catch_up(index, next); });
  }

  // --- At the end ------------------------------------------------------------------------------

  void check_operation(const Operation& operation) const;
  void note_loss(const Operation& operation);
  bool is_hold_unsure(const State& state) const;
  void check_charged_once(const State& state) const;
  void check_totals_with_the_book(const State& state) const;
  void check_book(const PspModel& psp, const std::string& name);
  int count(Status status) const {
    return static_cast<int>(std::ranges::count_if(
        store_.rows(), [status](const auto& row) { return row.second.transaction.status == status; }));
  }
  int count(Phase phase, Kind kind) const {
    int count = 0;
    for (const auto& [id, state] : store_.rows()) {
      count += static_cast<int>(std::ranges::count_if(state.operations, [&](const Operation& operation) {
        return operation.phase == phase && operation.kind == kind;
      }));
    }
    return count;
  }

  Options options_;
  const RetryPolicy policy_;
  Random random_;
  Timeline timeline_;
  PspModel psp_;
  PspModel other_psp_;
  StoreModel store_;
  std::vector<Worker> workers_;
  std::vector<Payment> payments_;
  std::map<MerchantId, int> orders_;
  std::map<std::size_t, std::vector<std::size_t>> again_;
  // By key: when the PSP said so, or what it had said was last heard.
  std::map<std::string, Timestamp> heard_at_;
  std::optional<Timestamp> restored_at_;
  std::size_t forgotten_operations_ = 0;
  bool are_look_ups_down_ = false;

  int requests_lost_ = 0;
  int answers_to_merchants_lost_ = 0;
  int replays_ = 0;
  int over_ = 0;
  int wrong_state_ = 0;
  int deaths_ = 0;
  int elsewhere_ = 0;
  int look_ups_ = 0;
  int nothing_found_ = 0;
  int late_arrivals_ = 0;
  int unsaved_ = 0;
  int saved_twice_ = 0;
  int saved_late_ = 0;
  int failed_over_ = 0;
  int stale_ = 0;
  int settled_elsewhere_ = 0;
  int taken_back_ = 0;
  int not_taken_back_ = 0;
  int holds_ended_ = 0;
  int resolved_as_succeeded_ = 0;
  int resolved_as_failed_ = 0;
  // After a restore: where the PSP has done something that nobody could ask for again.
  std::set<std::string> charges_with_loss_;
};

void Simulation::check() {
  check_book(psp_, "psp");
  check_book(other_psp_, "other");
  for (const auto& [id, state] : store_.rows()) {
    SCOPED_TRACE(id.value.to_string() + " " + std::string(to_string(state.transaction.status)));
    for (const auto& operation : state.operations) {
      SCOPED_TRACE("operation " + std::to_string(operation.number) + ", " +
                   std::string(to_string(operation.kind)) + " " + std::string(to_string(operation.phase)));
      check_operation(operation);
      note_loss(operation);
    }
    check_charged_once(state);
    check_totals_with_the_book(state);
  }
}

// Over both books. What a PSP took back, and then says that it was declined, has not happened.
void Simulation::check_charged_once(const State& state) const {
  const auto charges = std::ranges::count_if(state.operations, [this](const Operation& operation) {
    if (operation.kind != Kind::authorize || operation.psp.empty() || operation.psp == "rq-worker")
      return false;
    const auto* effect = psp_of(operation.psp).find(operation.idempotency_key);
    return effect != nullptr && (effect->happened() || effect->result == PspModel::Result::pending);
  });
  EXPECT_LE(charges, 1) << "it was charged twice";
}

// All that a PSP has done somebody has asked for, and we know of it.
void Simulation::check_book(const PspModel& psp, const std::string& name) {
  for (const auto& [key, effect] : psp.book()) {
    const auto place = store_.find_operation(key);
    if (!place) {
      EXPECT_TRUE(effect.is_before_restore) << "nobody asked for " << key;
      charges_with_loss_.insert(effect.charge);
      continue;
    }
    const auto& operation = store_.at(place->id).operations.at(static_cast<std::size_t>(place->number - 1));
    EXPECT_EQ(operation.psp, name) << "it was done at two PSPs, or at another one";
  }
}

void Simulation::check_operation(const Operation& operation) const {
  if (operation.psp == "rq-worker") return;
  const auto* effect = psp_of(operation.psp).find(operation.idempotency_key);
  const bool by_a_person = !operation.resolution.empty();
  switch (operation.phase) {
    case Phase::succeeded:
      ASSERT_NE(effect, nullptr) << "the PSP knows nothing of it";
      EXPECT_TRUE(effect->happened());
      EXPECT_EQ(effect->amount, operation.amount.minor());
      return;
    case Phase::declined:
      ASSERT_NE(effect, nullptr) << "the PSP knows nothing of it";
      EXPECT_FALSE(effect->happened());
      return;
    case Phase::rejected:
    case Phase::failed:
      if (effect == nullptr || effect->is_before_restore) return;
      EXPECT_TRUE(by_a_person) << "it was said to have never been done";
      EXPECT_FALSE(effect->happened());
      return;
    case Phase::manual_review:
      return;
    default:
      ADD_FAILURE() << "it is stuck";
  }
}

// A merchant's request that was forgotten, was sent again, and then could not reach the PSP that did it
// before.
void Simulation::note_loss(const Operation& operation) {
  if (operation.phase != Phase::failed && operation.phase != Phase::rejected) return;
  const auto* effect = psp_of(operation.psp).find(operation.idempotency_key);
  if (effect != nullptr && effect->is_before_restore) charges_with_loss_.insert(effect->charge);
}

// A capture was taken back before anybody knew that it had succeeded: what is heard is that it did not, and
// nothing of the hold, which is gone.
bool Simulation::is_hold_unsure(const State& state) const {
  return std::ranges::any_of(state.operations, [this](const Operation& operation) {
    const auto* effect = psp_of(operation.psp).find(operation.idempotency_key);
    return operation.kind == Kind::capture && effect != nullptr && effect->taken_back;
  });
}

void Simulation::check_totals_with_the_book(const State& state) const {
  const auto& transaction = state.transaction;
  const auto* authorization = find_authorization(state);
  ASSERT_NE(authorization, nullptr) << "it is stuck";
  if (authorization->psp == "rq-worker") return;
  // Not over, whatever a person has still to decide.
  const auto* charge = psp_of(authorization->psp).find_charge("ch-" + authorization->idempotency_key);
  if (transaction.status == Status::manual_review) return;
  if (charge == nullptr) {
    EXPECT_EQ(transaction.authorized_minor, 0);
    return;
  }
  if (charges_with_loss_.contains("ch-" + authorization->idempotency_key)) return;
  EXPECT_EQ(transaction.authorized_minor, charge->authorized);
  EXPECT_EQ(transaction.captured_minor, charge->captured);
  EXPECT_EQ(transaction.refunded_minor, charge->refunded);
  EXPECT_TRUE(is_hold_unsure(state) || transaction.held_minor == charge->held)
      << transaction.held_minor << " is held, and " << charge->held << " at the PSP";
}

// A simulation in which nothing goes wrong proves nothing.
void Simulation::check_that_it_was_hard() const {
  std::map<std::string, int> wanted{
      {"requests that were lost", requests_lost_},
      {"answers to merchants that were lost", answers_to_merchants_lost_},
      {"requests that were replayed", replays_},
      {"requests for more than was left", over_},
      {"requests in a wrong state", wrong_state_},
      {"deaths of workers", deaths_},
      {"look-ups", look_ups_},
      {"look-ups that found nothing", nothing_found_},
      {"requests that arrived twice", psp_.resends_seen},
      {"requests that arrived late", late_arrivals_},
      {"answers that were not saved", unsaved_},
      {"answers that were saved twice", saved_twice_},
      {"answers that were saved late", saved_late_},
      {"answers that came too late", stale_},
      {"authorizations that were made again elsewhere", options_.restores ? 1 : failed_over_},
      {"what was taken back", taken_back_},
      {"what was taken back and had happened after all", psp_.put_back},
      {"holds that ran out", psp_.holds_run_out},
      {"holds that ran out as the PSP said later", holds_ended_},
      {"resolved as succeeded", resolved_as_succeeded_},
      {"resolved as failed", resolved_as_failed_},
      {"authorized", count(Status::authorized)},
      {"captured", count(Status::captured)},
      {"voided", count(Status::voided)},
      {"partially refunded", count(Status::partially_refunded)},
      {"refunded", count(Status::refunded)},
      {"declined", count(Status::declined)},
      {"failed", count(Status::failed)},
      {"manual_review", count(Status::manual_review)},
      {"rejected", count(Phase::rejected, Kind::refund) + count(Phase::rejected, Kind::authorize)},
  };
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    for (const auto phase : {Phase::succeeded, Phase::declined}) {
      wanted.emplace(std::string(to_string(kind)) + " " + std::string(to_string(phase)), count(phase, kind));
    }
  }
  if (!options_.restores) {
    wanted.emplace("claims by a worker of another PSP", elsewhere_);
    wanted.emplace("what another worker settled", settled_elsewhere_);
    wanted.emplace("look-ups of what the PSP had forgotten", psp_.forgotten_seen);
  }
  for (const auto& [what, times] : wanted) {
    if (std::getenv("SIMULATION_VERBOSE") != nullptr) std::cout << times << " " << what << "\n";
    EXPECT_GT(times, 0) << what;
  }
  if (options_.restores) {
    EXPECT_TRUE(restored_at_);
    EXPECT_GT(forgotten_operations_, 0U);
  }
}

// Of an unsigned whole number in the environment.
std::uint64_t number_given(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

void simulate(bool restores) {
  const auto seed = number_given("SIMULATION_SEED", std::random_device()());
  const Options options{.restores = restores,
                        .payments = static_cast<int>(number_given("SIMULATION_PAYMENTS", 1'500))};
  std::cout << "SIMULATION_SEED=" << seed << std::endl;
  SCOPED_TRACE("SIMULATION_SEED=" + std::to_string(seed));
  Simulation simulation(seed, options);
  const auto began = std::chrono::steady_clock::now();
  simulation.run();
  const std::chrono::duration<double, std::ratio<60>> took = std::chrono::steady_clock::now() - began;
  std::cout << simulation.operations() << " operations, "
            << static_cast<std::int64_t>(static_cast<double>(simulation.operations()) / took.count())
            << " a minute\n";
  if (::testing::Test::HasFailure()) return;
  simulation.check();
  if (!::testing::Test::HasFailure()) simulation.check_that_it_was_hard();
}

TEST(Simulation, EveryOperationHasOneEffectAndTheTotalsAreThePsps) {
  simulate(false);
}

TEST(Simulation, AStoreRestoredFromAnOlderCopyChargesOnceWhoSendsAgain) {
  simulate(true);
}

}  // namespace
}  // namespace switchyard::payment::simulation
