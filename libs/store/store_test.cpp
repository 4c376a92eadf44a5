// What every store promises, whatever it is made of: the suite runs once for each factory at the end.
#include "store/store.hpp"

#include <algorithm>
#include <future>
#include <limits>
#include <ostream>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "postgres/testing.hpp"
#include "store/columns.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

using payment::Action;
using payment::CaptureMethod;
using payment::Kind;
using payment::Phase;
using payment::Refusal;
using payment::State;
using payment::Status;
using payment::Step;
using payment::Transaction;
using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using Which = DueWork::Which;

struct StoreFactory {
  std::string name;
  // Why this machine cannot have it; empty if it can.
  std::function<std::string()> why_not;
  // Opens the store that lives in the folder; called again, it opens the same one a second time.
  std::function<std::unique_ptr<Store>(const TempDir& folder)> open;
  // Does to it what another program or a person may do. Ids are written as :id:<32 hex digits>.
  std::function<void(const TempDir& folder, const std::string& sql)> execute;
};
std::ostream& operator<<(std::ostream& out, const StoreFactory& factory) {
  return out << factory.name;
}

constexpr Timestamp start{milliseconds(1'700'000'000'000)};
constexpr MerchantId alice{1};
constexpr MerchantId becky{2};
const payment::RetryPolicy policy;
const payment::OneAccount psp{"psp", [](const State&, const payment::Operation& operation) {
                                return fmt::format("'request' of {} \xc3\xa9", to_string(operation.kind));
                              }};

const Currency usd = *Currency::parse("USD");
const Currency jpy = *Currency::parse("JPY");

// Ids in the order of their numbers, as the time orders them in production.
TransactionId id_number(std::uint64_t number) {
  TransactionId id;
  for (std::size_t i = 0; i < 8; ++i) id.value.bytes[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  return id;
}

Transaction transaction_number(std::uint64_t number, MerchantId merchant = alice) {
  return {.id = id_number(number),
          .merchant_id = merchant,
          .amount = Money(100, usd),
          .next_action_at = start,
          .created_at = start,
          .updated_at = start};
}

// --- All that is remembered, to compare and to print ---

struct Print {
  std::string& text;

  void operator()(std::int64_t value) const { text += fmt::format("{} ", value); }
  void operator()(bool value) const { text += fmt::format("{} ", value); }
  void operator()(const Uuid& value) const { text += value.to_string() + " "; }
  void operator()(std::string_view value) const { text += fmt::format("'{}' ", value); }
  void operator()(Timestamp value) const { (*this)(value.time_since_epoch().count()); }
  void operator()(std::optional<Timestamp> value) const { value ? (*this)(*value) : (*this)("never"); }
  void operator()(const char* value) const { (*this)(std::string_view(value)); }
};
std::string describe(const State& state) {
  std::string text;
  put_columns(state.transaction, Print{text});
  for (const auto& operation : state.operations) {
    text += "\n  ";
    put_columns(state.transaction, operation, Print{text});
  }
  return text;
}
std::string describe(const Transaction& transaction) {
  return describe(State{transaction, {}});
}
std::string describe(const User& user) {
  return fmt::format("{} {} {} {}", user.id.value, user.username, user.password_hash, user.enabled);
}

// --- Events of PSPs ---

std::string describe(const std::optional<Money>& amount) {
  return amount ? amount->to_string() : "no amount";
}
struct DescribeWhat {
  std::string operator()(const payment::Succeeded& what) const {
    return fmt::format("succeeded '{}' {}", what.psp_reference, what.amount.to_string());
  }
  std::string operator()(const payment::Declined& what) const {
    return fmt::format("declined '{}' '{}' {} '{}' {}", what.reason.code, what.reason.message,
                       to_string(what.reason.kind), what.psp_reference, describe(what.amount));
  }
  std::string operator()(const payment::AskAgain&) const { return "ask again"; }
  std::string operator()(const payment::Happened&) const { return "happened"; }
  std::string operator()(const payment::TryFailed& what) const {
    return fmt::format("a try failed '{}'", what.reason);
  }
  std::string operator()(const payment::CameToNothing& what) const {
    return fmt::format("came to nothing '{}'", what.reason);
  }
  std::string operator()(const payment::TakenBack& what) const {
    return fmt::format("taken back '{}' {}", what.reason, describe(what.amount));
  }
  std::string operator()(const payment::ChargedBack& what) const {
    return fmt::format("charged back '{}' {}", what.reason, describe(what.amount));
  }
  std::string operator()(const payment::HoldExpired& what) const {
    return fmt::format("hold expired '{}'", what.reason);
  }
  std::string operator()(const payment::Attention& what) const {
    return fmt::format("attention '{}'", what.reason);
  }
  std::string operator()(const payment::Ignored&) const { return "ignored"; }
};
std::string describe(const PspEvent& event) {
  const auto& notice = event.notice;
  std::string text =
      fmt::format("'{}' '{}' '{}' '{}' '{}' '{}' '{}' {} {}\n  ", event.account, notice.event, notice.type,
                  notice.reference, notice.idempotency_key, notice.psp_reference, notice.payment,
                  notice.kind ? to_string(*notice.kind) : "no kind", std::visit(DescribeWhat{}, notice.what));
  Print print{text};
  print(event.received_at);
  print(event.due_at);
  print(std::int64_t{event.tries});
  print(event.result);
  return text;
}

PspEvent event_named(std::string name, Timestamp due_at = start, std::string account = "psp") {
  return {.account = std::move(account),
          .notice = {.event = std::move(name), .type = "charge.refunded", .what = payment::AskAgain()},
          .received_at = start,
          .due_at = due_at};
}
std::vector<std::string> names_of(const PspEvents& events) {
  std::vector<std::string> names;
  for (const auto& event : events) names.push_back(event.notice.event);
  return names;
}

// Of each kind, with all that such a one may have, and with as little as it may have.
PspEvents events_of_each_kind() {
  const payment::Reason reason{"51", "insufficient 'funds' \xc3\xa9", payment::ReasonKind::soft_decline};
  const std::vector<payment::Notice::What> kinds{
      payment::Succeeded{"pi_1", Money(1'234'567'890'123, usd)},
      payment::Succeeded{"", Money(0, jpy)},
      payment::Declined{reason, "pi_2", Money(100, jpy)},
      payment::Declined{{}, "", {}},
      payment::AskAgain{},
      payment::Happened{},
      payment::TryFailed{"card_declined"},
      payment::CameToNothing{"it was cancelled"},
      payment::TakenBack{"the account is closed", Money(50, usd)},
      payment::TakenBack{"", {}},
      payment::ChargedBack{"fraudulent", Money(99, *Currency::parse_stored("BGN"))},
      payment::ChargedBack{"", {}},
      payment::Attention{"a dispute"},
      payment::HoldExpired{"the hold has run out"},
      payment::Ignored{},
  };
  PspEvents events;
  for (const auto& what : kinds) {
    const auto number = events.size();
    auto event = event_named(fmt::format("evt_{:02}", number), start + seconds(number));
    event.notice.what = what;
    event.tries = static_cast<std::int32_t>(number);
    events.push_back(std::move(event));
  }
  events.front().notice.reference = "ours";
  events.front().notice.idempotency_key = "our key";
  events.front().notice.psp_reference = "ch_1";
  events.front().notice.payment = "pi_\xc3\xa9";
  events.front().result = "in words";
  const std::vector each_of_kinds{Kind::authorize, Kind::capture, Kind::void_, Kind::refund};
  for (std::size_t i = 0; i < each_of_kinds.size(); ++i) events[i].notice.kind = each_of_kinds[i];
  return events;
}

// --- What is decided ---

Decide decide_claim(Timestamp now) {
  return [now](State state) { return Decided{payment::claim(std::move(state), psp, now, policy)}; };
}
// What a worker makes of a job: nothing, where somebody else was first.
Decide decide_claim_of_queued(Timestamp now) {
  return [now](State state) -> Decided {
    if (state.transaction.status != Status::queued) return {{std::move(state)}, false};
    return {payment::claim(std::move(state), psp, now, policy)};
  };
}
// What a queue outside the store does with what it is handed.
Decide decide_put_off(Timestamp until) {
  return [until](State state) {
    state.transaction.next_action_at = until;
    return Decided{{std::move(state)}};
  };
}
Decide decide_request(const payment::Request& wanted, Timestamp now = start, std::string reply = "{}") {
  return [wanted, now, reply](State state) -> std::expected<Decided, Refusal> {
    auto asked = payment::request(std::move(state), wanted, now);
    if (!asked) return std::unexpected(std::move(asked.error()));
    return Decided{{std::move(*asked)}, true, reply};
  };
}
payment::Request wanted(Kind kind, std::optional<std::int64_t> amount_minor = {}, bool is_final = true) {
  return {kind, amount_minor, is_final, "psp's key", "the merchant's 'reference'", "a note \xc3\xa9"};
}

payment::Succeeded succeeded(std::int64_t amount_minor = 100) {
  return {"psp-ref", Money(amount_minor, usd)};
}
payment::Declined declined() {
  return {{"51", "insufficient 'funds'", payment::ReasonKind::soft_decline}, "psp-ref", {}};
}

// As it is when its authorization has been answered.
State settled(Transaction transaction, const payment::Answer& answer) {
  auto claimed = payment::claim({std::move(transaction), {}}, psp, start, policy);
  return payment::answered(std::move(claimed), answer, psp, start, policy).state;
}
State captured(std::uint64_t number, MerchantId merchant = alice) {
  return settled(transaction_number(number, merchant), succeeded());
}

IdempotencyKey key(std::string name, std::string fingerprint = "fingerprint", Kind kind = Kind::authorize) {
  return {kind, std::move(name), std::move(fingerprint)};
}

template <class Alternative, class Outcome>
bool is(const Result<Outcome>& result) {
  return result && std::holds_alternative<Alternative>(*result);
}

TransactionFilter filter(std::size_t limit, std::optional<Status> status = {},
                         std::optional<Currency> currency = {}, std::optional<TransactionId> before = {}) {
  return {.status = status, .currency = currency, .before = before, .limit = limit};
}

template <class Operation>
using ResultOf = typename std::invoke_result_t<Operation&>::value_type;

class StoreTest : public ::testing::TestWithParam<StoreFactory> {
 protected:
  using Committing = std::function<Task<Result<Committed>>()>;

  void SetUp() override {
    if (GetParam().why_not) {
      if (const auto reason = GetParam().why_not(); !reason.empty()) GTEST_SKIP() << reason;
    }
    store_ = open_again();
  }

  std::unique_ptr<Store> open_again() const { return GetParam().open(folder_); }
  // Everything but the file is lost, as with the death of the process.
  void reopen() {
    store_.reset();
    store_ = open_again();
  }

  template <class Operation>
  auto run(Operation operation) {
    std::optional<ResultOf<Operation>> result;
    threads_.run(0, [&]() -> Task<void> { result.emplace(co_await operation()); });
    return std::move(*result);
  }

  // Starts all of them before the first one can be done.
  template <class Operation>
  auto run_at_once(std::vector<Operation> operations) {
    std::vector<std::optional<ResultOf<Operation>>> results(operations.size());
    std::vector<std::future<void>> running(operations.size());
    threads_.run(0, [&]() -> Task<void> {
      for (std::size_t i = 0; i < operations.size(); ++i) {
        const auto one = [&operation = operations[i], &result = results[i]]() -> Task<void> {
          result.emplace(co_await operation());
        };
        running[i] = asio::co_spawn(threads_.executor(0), one, asio::use_future);
      }
      co_return;
    });
    for (auto& operation : running) operation.get();
    return results;
  }

  // --- Transactions ---

  static Task<Result<Committed>> commit_new(Store& store, State state, std::optional<IdempotencyKey> key = {},
                                            std::string reply = "{}") {
    Change change{std::move(state), true, std::move(key), std::move(reply)};
    return store.commit(std::move(change));
  }
  Result<Committed> create(const State& state) {
    return run([&] { return commit_new(*store_, state); });
  }
  Result<Committed> create(const Transaction& transaction, std::optional<IdempotencyKey> key = {},
                           std::string reply = "{}") {
    return run([&] { return commit_new(*store_, {transaction, {}}, key, reply); });
  }
  void create_numbers(std::uint64_t first, std::uint64_t last, MerchantId merchant = alice) {
    for (auto number = first; number <= last; ++number) {
      ASSERT_TRUE(is<Done>(create(transaction_number(number, merchant))));
    }
  }
  void create_at_once(std::uint64_t first, std::uint64_t last,
                      const std::function<Transaction(std::uint64_t)>& make) {
    std::vector<Committing> creates;
    for (auto number = first; number <= last; ++number) {
      creates.emplace_back([this, &make, number] { return commit_new(*store_, {make(number), {}}); });
    }
    for (const auto& created : run_at_once(creates)) ASSERT_TRUE(is<Done>(*created));
  }
  std::string found(TransactionId id, MerchantId merchant = alice) {
    const auto result = run([&] { return store_->find_transaction(merchant, id); });
    return result ? describe(*result) : std::string(to_string(result.error().code));
  }
  std::vector<TransactionId> listed(const TransactionFilter& filter, MerchantId merchant = alice) {
    const auto page = run([&] { return store_->list_transactions(merchant, filter); });
    EXPECT_TRUE(page);
    std::vector<TransactionId> ids;
    for (const auto& transaction : page->items) ids.push_back(transaction.id);
    return ids;
  }
  // Follows the cursors to the end.
  std::vector<TransactionId> walked(TransactionFilter filter, MerchantId merchant = alice) {
    std::vector<TransactionId> ids;
    for (int pages = 0; pages < 10'000; ++pages) {
      const auto page = run([&] { return store_->list_transactions(merchant, filter); });
      EXPECT_TRUE(page);
      EXPECT_LE(page->items.size(), filter.limit);
      for (const auto& transaction : page->items) ids.push_back(transaction.id);
      if (!page->next) return ids;
      filter.before = page->next;
    }
    ADD_FAILURE() << "the list does not end";
    return ids;
  }
  // Follows the pages to the end.
  std::vector<std::string> attempts(AttemptRange range, std::size_t limit) {
    std::vector<std::string> lines;
    unreadable_ = 0;
    for (;;) {
      const auto page = run([&] { return store_->list_attempts(range, limit); });
      EXPECT_TRUE(page);
      EXPECT_LE(page->items.size(), limit);
      unreadable_ += page->unreadable;
      for (const auto& attempt : page->items) {
        EXPECT_EQ(attempt.created_at, start);
        lines.push_back(fmt::format(
            "{} {} {} {} {} {} {} {}", int{attempt.id.value.bytes[7]}, attempt.amount.minor(),
            attempt.amount.currency().code(), attempt.metadata, attempt.payment_method, attempt.psp,
            payment::to_string(attempt.phase), payment::to_string(attempt.reason_kind)));
      }
      if (!page->next) return lines;
      range.first = *page->next;
    }
  }
  std::optional<Replayed> replay(const IdempotencyKey& key, MerchantId merchant = alice) {
    auto reply = run([&] { return store_->find_reply(merchant, key); });
    EXPECT_TRUE(reply);
    return reply ? *reply : std::nullopt;
  }

  // --- Work ---

  static DueWork due_work(Timestamp now, std::size_t limit, Which which = Which::all) {
    return {now, now + payment::longest_delay(policy) + clock_skew_max, limit, which};
  }
  static std::vector<Step> steps_of(const std::vector<Taken>& taken) {
    std::vector<Step> steps;
    for (const auto& one : taken) {
      const auto* decided = std::get_if<Decided>(&one);
      EXPECT_NE(decided, nullptr);
      if (decided != nullptr) steps.push_back(decided->step);
    }
    return steps;
  }
  std::vector<Taken> take(const Work& work, const Decide& decide) {
    auto taken = run([&] { return store_->take(work, decide); });
    EXPECT_TRUE(taken);
    return taken ? std::move(*taken) : std::vector<Taken>();
  }
  std::vector<Step> claim(Timestamp now, std::size_t limit = 100, Which which = Which::all) {
    return steps_of(take(due_work(now, limit, which), decide_claim(now)));
  }
  Step claim_one(Timestamp now) {
    auto claimed = claim(now, 1);
    EXPECT_THAT(claimed, SizeIs(1));
    return std::move(claimed.at(0));
  }
  std::vector<TransactionId> put_off(Timestamp due_by, Timestamp until, std::size_t limit) {
    const DueWork work{due_by, until + clock_skew_max, limit, Which::queued};
    return ids_of(steps_of(take(work, decide_put_off(until))));
  }
  // A transaction by its name, for a merchant who asks or a worker who has a job.
  Taken take_one(std::uint64_t number, const Decide& decide, std::optional<IdempotencyKey> key = {},
                 MerchantId merchant = alice) {
    auto taken = take(NamedWork{{{merchant, id_number(number), std::move(key)}}}, decide);
    EXPECT_THAT(taken, SizeIs(1));
    return std::move(taken.at(0));
  }
  // What came of it, in a word.
  static std::string word(const Taken& taken) {
    if (std::holds_alternative<Decided>(taken)) return "decided";
    if (const auto* replayed = std::get_if<Replayed>(&taken)) return "replayed " + replayed->reply;
    if (const auto* error = std::get_if<Error>(&taken)) return std::string(to_string(error->code));
    return std::get<Refusal>(taken).why == Refusal::Why::over_what_is_left ? "over what is left" : "refused";
  }
  static std::vector<TransactionId> ids_of(const std::vector<Step>& steps) {
    std::vector<TransactionId> ids;
    for (const auto& step : steps) ids.push_back(step.state.transaction.id);
    return ids;
  }
  Result<Committed> save(const State& state) {
    const Change change{state};
    return run([&] { return store_->commit(change); });
  }
  Result<Committed> save(const Step& claimed, const payment::Answer& answer, Timestamp now) {
    return save(payment::answered(claimed, answer, psp, now, policy).state);
  }
  std::int64_t backlog(std::int64_t most = 1000) {
    return *run([&] { return store_->count_backlog(most); });
  }

  // --- What others do to the rows ---

  static std::string literal(std::uint64_t number) {
    auto id = id_number(number).value.to_string();
    std::erase(id, '-');
    return ":id:" + id;
  }
  void change(std::uint64_t number, const std::string& assignments) {
    GetParam().execute(folder_,
                       fmt::format("UPDATE transactions SET {} WHERE id = {}", assignments, literal(number)));
  }
  void change_operations(std::uint64_t number, const std::string& assignments) {
    GetParam().execute(folder_, fmt::format("UPDATE operations SET {} WHERE transaction_id = {}", assignments,
                                            literal(number)));
  }

  // --- Events of PSPs ---

  void add_events(const PspEvents& events) {
    const auto added = run([&] { return store_->add_psp_events(events); });
    ASSERT_TRUE(added) << added.error().detail;
  }
  PspEvents take_events(Timestamp by, std::size_t limit = 100,
                        std::chrono::milliseconds lease = seconds(30)) {
    auto taken = run([&] { return store_->take_psp_events(by, by + lease, limit); });
    EXPECT_TRUE(taken) << taken.error().detail;
    return taken ? std::move(*taken) : PspEvents();
  }
  std::vector<std::string> taken_names(Timestamp by, std::size_t limit = 100) {
    return names_of(take_events(by, limit));
  }
  void end_events(const PspEvents& events) {
    const auto ended = run([&] { return store_->end_psp_events(events); });
    ASSERT_TRUE(ended) << ended.error().detail;
  }
  std::vector<std::string> owners_of(const std::vector<PspPayment>& payments) {
    const auto found = run([&] { return store_->find_psp_payments(payments); });
    EXPECT_TRUE(found) << found.error().detail;
    std::vector<std::string> owners;
    for (const auto& owner : *found) {
      owners.push_back(
          owner ? fmt::format("{} {}", owner->merchant.value, int{owner->transaction.value.bytes[7]})
                : "nobody");
    }
    return owners;
  }

  // --- Users ---

  Result<User> add_user(const NewUser& user) {
    return run([&] { return store_->add_user(user, start); });
  }
  std::optional<User> find_user(const std::string& username) {
    auto user = run([&] { return store_->find_user(username); });
    EXPECT_TRUE(user);
    return *user;
  }
  std::vector<std::string> listed_users(std::int64_t after = 0, std::size_t limit = 100) {
    const auto users = run([&] { return store_->list_users({after}, limit); });
    EXPECT_TRUE(users);
    std::vector<std::string> names;
    for (const auto& user : *users) names.push_back(user.username);
    return names;
  }
  void record_failure(const std::vector<std::string>& subjects, Timestamp now,
                      milliseconds window = seconds(300)) {
    EXPECT_TRUE(run([&] { return store_->record_login_failure(subjects, now, window); }));
  }
  LoginFailures failures(const std::string& subject, Timestamp now) {
    const auto all = run([&] { return store_->login_failures({subject}, now, seconds(300)); });
    EXPECT_THAT(*all, SizeIs(1));
    return all->at(0);
  }

  TempDir folder_;
  // Outlive the stores, which post to them.
  IoThreads threads_{2};
  std::int64_t unreadable_ = 0;
  std::unique_ptr<Store> store_;
};

// --- Users -------------------------------------------------------------------------------------

TEST_P(StoreTest, FindsAUserByName) {
  EXPECT_EQ(find_user("alice"), std::nullopt);
  const auto added =
      add_user({.id = UserId{7}, .username = "alice", .password_hash = "$argon2id$x", .enabled = false});
  ASSERT_TRUE(added);
  EXPECT_EQ(describe(*added), "7 alice $argon2id$x false");
  EXPECT_EQ(describe(*find_user("alice")), describe(*added));
  for (const char* other : {"", "Alice", "alice ", "alic", "al%", "alice' OR '1'='1"}) {
    EXPECT_EQ(find_user(other), std::nullopt) << other;
  }
}

TEST_P(StoreTest, KeepsAnyUsernameByteForByte) {
  for (const std::string username : {"o'brien", "\xc3\xa9milie", "a b", "\xf0\x9f\x98\x80"}) {
    ASSERT_TRUE(add_user({.id = {}, .username = username, .password_hash = "h"})) << username;
    EXPECT_EQ(find_user(username)->username, username);
  }
}

TEST_P(StoreTest, GivesAUserWithoutAnIdTheNextFreeOne) {
  const auto first = add_user({.id = {}, .username = "alice", .password_hash = "h"});
  ASSERT_TRUE(add_user({.id = UserId{10}, .username = "becky", .password_hash = "h"}));
  const auto third = add_user({.id = {}, .username = "charlie", .password_hash = "h"});
  EXPECT_EQ(first->id, UserId{1});
  EXPECT_EQ(third->id, UserId{11});
}

TEST_P(StoreTest, RefusesAUserWhoseNameOrIdIsTaken) {
  ASSERT_TRUE(add_user({.id = UserId{1}, .username = "alice", .password_hash = "first"}));
  const auto same_name = add_user({.id = UserId{2}, .username = "alice", .password_hash = "second"});
  const auto same_id = add_user({.id = UserId{1}, .username = "becky", .password_hash = "second"});
  EXPECT_EQ(same_name.error().code, ErrorCode::already_exists);
  EXPECT_EQ(same_id.error().code, ErrorCode::already_exists);
  EXPECT_EQ(find_user("alice")->password_hash, "first");
  EXPECT_THAT(listed_users(), ElementsAre("alice"));
}

TEST_P(StoreTest, ListsUsersById) {
  EXPECT_THAT(listed_users(), IsEmpty());
  for (const std::int64_t id : {5, 1, 3}) {
    ASSERT_TRUE(add_user({.id = UserId{id}, .username = fmt::format("user {}", id), .password_hash = "h"}));
  }
  EXPECT_THAT(listed_users(), ElementsAre("user 1", "user 3", "user 5"));
  EXPECT_THAT(listed_users(0, 2), ElementsAre("user 1", "user 3"));
  EXPECT_THAT(listed_users(3), ElementsAre("user 5"));
  EXPECT_THAT(listed_users(5), IsEmpty());
}

TEST_P(StoreTest, FindsUsersById) {
  for (const std::int64_t id : {5, 1, 3}) {
    ASSERT_TRUE(add_user({.id = UserId{id}, .username = fmt::format("user {}", id), .password_hash = "h"}));
  }
  const auto named = [this](const std::vector<UserId>& ids) {
    std::vector<std::string> users;
    const auto found_users = run([&] { return store_->find_users(ids); });
    for (const auto& user : *found_users) users.push_back(describe(user));
    return users;
  };
  EXPECT_THAT(named({{3}, {9}, {1}}), UnorderedElementsAre("1 user 1 h true", "3 user 3 h true"));
  EXPECT_THAT(named({}), IsEmpty());
}

TEST_P(StoreTest, ImportsUsersIntoAnEmptyTableOnly) {
  const std::vector<NewUser> users{{UserId{1}, "alice", "h", true}, {UserId{3}, "charlie", "h", false}};
  EXPECT_EQ(run([&] { return store_->import_users(users, start); }), true);
  EXPECT_THAT(listed_users(), ElementsAre("alice", "charlie"));
  EXPECT_FALSE(find_user("charlie")->enabled);

  const std::vector<NewUser> others{{UserId{2}, "becky", "h", true}};
  EXPECT_EQ(run([&] { return store_->import_users(others, start); }), false);
  EXPECT_THAT(listed_users(), ElementsAre("alice", "charlie"));
}

TEST_P(StoreTest, ImportsAllUsersOrNone) {
  const std::vector<NewUser> twins{{UserId{1}, "alice", "h", true}, {UserId{2}, "alice", "h", true}};
  EXPECT_FALSE(run([&] { return store_->import_users(twins, start); }));
  EXPECT_THAT(listed_users(), IsEmpty());
}

TEST_P(StoreTest, ChangesWhetherAUserIsEnabled) {
  ASSERT_TRUE(add_user({.id = {}, .username = "alice", .password_hash = "h"}));
  ASSERT_TRUE(add_user({.id = {}, .username = "becky", .password_hash = "h"}));
  EXPECT_TRUE(run([&] { return store_->set_user_enabled("alice", false); }));
  EXPECT_FALSE(find_user("alice")->enabled);
  EXPECT_TRUE(find_user("becky")->enabled);
  EXPECT_TRUE(run([&] { return store_->set_user_enabled("alice", true); }));
  EXPECT_TRUE(find_user("alice")->enabled);
  const auto unknown = run([&] { return store_->set_user_enabled("nobody", true); });
  EXPECT_EQ(unknown.error().code, ErrorCode::not_found);
}

TEST_P(StoreTest, ANameThatIsNoTextIsNobodyElses) {
  ASSERT_TRUE(add_user({.id = {}, .username = "a?", .password_hash = "old"}));
  ASSERT_TRUE(add_user({.id = {}, .username = "??", .password_hash = "old"}));
  for (const auto& name :
       {std::string("a\xff"), std::string("a\0", 2), std::string("\xc3("), std::string("\xed\xa0")}) {
    const auto disabled = run([&] { return store_->set_user_enabled(name, false); });
    ASSERT_FALSE(disabled);
    EXPECT_EQ(disabled.error().code, ErrorCode::not_found);
    const auto changed = run([&] { return store_->set_password_hash(name, "new"); });
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().code, ErrorCode::not_found);
    EXPECT_FALSE(find_user(name).has_value());
  }
  for (const char* name : {"a?", "??"}) {
    EXPECT_TRUE(find_user(name)->enabled);
    EXPECT_EQ(find_user(name)->password_hash, "old");
  }
}

TEST_P(StoreTest, ChangesAPasswordHash) {
  ASSERT_TRUE(add_user({.id = {}, .username = "alice", .password_hash = "old"}));
  ASSERT_TRUE(add_user({.id = {}, .username = "becky", .password_hash = "old"}));
  EXPECT_TRUE(run([&] { return store_->set_password_hash("alice", "new"); }));
  EXPECT_EQ(find_user("alice")->password_hash, "new");
  EXPECT_EQ(find_user("becky")->password_hash, "old");
  const auto unknown = run([&] { return store_->set_password_hash("nobody", "new"); });
  EXPECT_EQ(unknown.error().code, ErrorCode::not_found);
}

TEST_P(StoreTest, ReplacesAPasswordHashOnlyIfItIsStillTheSame) {
  ASSERT_TRUE(add_user({.id = {}, .username = "alice", .password_hash = "old"}));
  ASSERT_TRUE(add_user({.id = {}, .username = "becky", .password_hash = "old"}));
  const auto replace = [this](const char* username, const char* from, const char* to) {
    const auto replaced = run([&] { return store_->replace_password_hash(username, from, to); });
    EXPECT_TRUE(replaced);
    return replaced && *replaced;
  };
  EXPECT_FALSE(replace("alice", "older", "new"));
  EXPECT_EQ(find_user("alice")->password_hash, "old");
  EXPECT_TRUE(replace("alice", "old", "new"));
  EXPECT_EQ(find_user("alice")->password_hash, "new");
  EXPECT_FALSE(replace("alice", "old", "newer"));
  EXPECT_EQ(find_user("alice")->password_hash, "new");
  EXPECT_EQ(find_user("becky")->password_hash, "old");
  EXPECT_FALSE(replace("nobody", "old", "new"));
  EXPECT_FALSE(replace("a\xff", "old", "new"));
}

// --- Failed logins -----------------------------------------------------------------------------

TEST_P(StoreTest, CountsTheFailuresOfEachSubject) {
  record_failure({"user:alice", "address:::1"}, start);
  record_failure({"user:alice", "address:::2"}, start);
  const auto counted = run([&] {
    return store_->login_failures({"address:::1", "user:alice", "user:becky", "address:::2"}, start,
                                  seconds(300));
  });
  std::vector<std::int64_t> counts;
  for (const auto& of_subject : *counted) counts.push_back(of_subject.count);
  EXPECT_THAT(counts, ElementsAre(1, 2, 0, 1));
}

TEST_P(StoreTest, AWindowBeginsWithTheFirstFailureAndIsNotExtended) {
  record_failure({"user:alice"}, start, seconds(10));
  record_failure({"user:alice"}, start + seconds(9), seconds(10));
  const auto window = failures("user:alice", start + seconds(9));
  EXPECT_EQ(window.count, 2);
  EXPECT_EQ(window.window_ends_at, start + seconds(10));
}

TEST_P(StoreTest, AWindowThatHasEndedCountsAsNothing) {
  record_failure({"user:alice"}, start, seconds(10));
  EXPECT_EQ(failures("user:alice", start + milliseconds(9'999)).count, 1);
  EXPECT_EQ(failures("user:alice", start + seconds(10)).count, 0);
  record_failure({"user:alice"}, start + seconds(10), seconds(10));
  const auto next = failures("user:alice", start + seconds(10));
  EXPECT_EQ(next.count, 1);
  EXPECT_EQ(next.window_ends_at, start + seconds(20));
}

TEST_P(StoreTest, AWindowOfAClockThatWasAheadCountsAsNothing) {
  const auto ahead = start + std::chrono::hours(24);
  record_failure({"user:alice"}, ahead);
  EXPECT_EQ(failures("user:alice", ahead).count, 1);
  EXPECT_EQ(failures("user:alice", start).count, 0) << "the clock was set right";
  record_failure({"user:alice"}, start);
  const auto next = failures("user:alice", start);
  EXPECT_EQ(next.count, 1);
  EXPECT_EQ(next.window_ends_at, start + seconds(300));
}

TEST_P(StoreTest, ForgetsEndedWindowsOfOthersWithoutTouchingThoseThatRun) {
  for (int i = 0; i < 100; ++i)
    record_failure({fmt::format("address:{}", i)}, start, seconds(i < 50 ? 1 : 100));
  for (int i = 0; i < 10; ++i) record_failure({"user:alice"}, start + seconds(2), seconds(100));
  for (int i = 50; i < 100; ++i)
    EXPECT_EQ(failures(fmt::format("address:{}", i), start + seconds(2)).count, 1);
  EXPECT_EQ(failures("user:alice", start + seconds(2)).count, 10);
}

TEST_P(StoreTest, FailuresOutliveTheProcess) {
  record_failure({"user:alice"}, start);
  reopen();
  EXPECT_EQ(failures("user:alice", start).count, 1);
}

// --- Transactions ------------------------------------------------------------------------------

TEST_P(StoreTest, GivesBackATransactionAsItWasCreated) {
  const Transaction transaction{.id = {Uuid::generate()},
                                .merchant_id = alice,
                                .amount = Money(1'000'000'000'000, jpy),
                                .capture_method = CaptureMethod::manual,
                                .next_action_at = start + milliseconds(1),
                                .reason = "a 'reason' \xc3\xa9",
                                .derived_reference = "00ff",
                                .reference = "order 'x' \xc3\xa9",
                                .description = "two\nlines",
                                .metadata = R"({"a":"b"})",
                                .created_at = start + milliseconds(2),
                                .updated_at = start + milliseconds(3)};
  EXPECT_TRUE(is<Done>(create(transaction)));
  EXPECT_EQ(found(transaction.id), describe(transaction));
  reopen();
  EXPECT_EQ(found(transaction.id), describe(transaction)) << "what was acknowledged is on disk";
}

TEST_P(StoreTest, ShowsATransactionToItsMerchantOnly) {
  create_numbers(1, 1, alice);
  EXPECT_EQ(found(id_number(1), becky), "not_found");
  EXPECT_EQ(found(id_number(2), alice), "not_found");
  EXPECT_EQ(found(id_number(1), alice), describe(transaction_number(1)));
}

TEST_P(StoreTest, FindsTheOwnersOfIds) {
  create_numbers(1, 2, alice);
  create_numbers(3, 3, becky);
  const auto owners_of = [this](const std::vector<TransactionId>& ids) {
    return *run([&] { return store_->find_owners(ids); });
  };
  EXPECT_THAT(owners_of({id_number(3), id_number(1), id_number(9)}),
              UnorderedElementsAre(std::pair(id_number(1), alice), std::pair(id_number(3), becky)));
  EXPECT_THAT(owners_of({}), IsEmpty());
}

TEST_P(StoreTest, WalksTheMerchantsThatHaveTransactions) {
  const auto next = [this](std::int64_t least) {
    const auto found = *run([&] { return store_->next_merchant({least}); });
    return found ? std::optional(found->value) : std::nullopt;
  };
  constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
  constexpr auto highest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(next(lowest), std::nullopt);
  ASSERT_TRUE(add_user({.id = UserId{5}, .username = "alice", .password_hash = "h"}));
  create_numbers(1, 2, {highest});
  create_numbers(3, 5, {3});
  EXPECT_EQ(next(lowest), 3);
  EXPECT_EQ(next(3), 3);
  EXPECT_EQ(next(4), highest) << "a user without transactions";
  EXPECT_EQ(next(highest), highest);
}

TEST_P(StoreTest, ATransactionIsStoredOnce) {
  create_numbers(1, 1);
  auto other = transaction_number(1);
  other.amount = Money(7, jpy);
  EXPECT_TRUE(is<Stale>(create(captured(1))));
  EXPECT_TRUE(is<Stale>(create(other, key("k"))));
  EXPECT_EQ(found(id_number(1)), describe(transaction_number(1)));
  EXPECT_FALSE(replay(key("k"))) << "its key was not used";
}

TEST_P(StoreTest, StoresATransactionThatHasBegunElsewhere) {
  const auto state = captured(1);
  ASSERT_TRUE(is<Done>(create(state)));
  EXPECT_EQ(found(id_number(1)), describe(state));
}

TEST_P(StoreTest, CountsTheBacklogOfTheMerchantsWithTheMost) {
  create_numbers(1, 3, alice);
  create_numbers(4, 9, becky);
  create_numbers(10, 10, {3});
  const auto counted = [this](std::int64_t most, std::size_t merchants) {
    std::vector<std::string> counts;
    const auto largest = run([&] { return store_->largest_backlogs(most, merchants); });
    for (const auto& [merchant, count] : *largest)
      counts.push_back(fmt::format("{}: {}", merchant.value, count));
    return counts;
  };
  EXPECT_THAT(counted(100, 10), ElementsAre("2: 6", "1: 3", "3: 1"));
  EXPECT_THAT(counted(100, 2), ElementsAre("2: 6", "1: 3"));
  std::int64_t sum = 0;
  const auto bounded = run([&] { return store_->largest_backlogs(5, 10); });
  for (const auto& one : *bounded) sum += one.count;
  EXPECT_EQ(sum, 5) << "no more is looked at";
}

TEST_P(StoreTest, CreatesManyAtOnce) {
  create_at_once(1, 500, [](std::uint64_t number) {
    return transaction_number(number, {static_cast<std::int64_t>(number % 3)});
  });
  EXPECT_EQ(backlog(), 500);
}

// --- Idempotency -------------------------------------------------------------------------------

TEST_P(StoreTest, AnswersARepeatedRequestWithTheFirstReply) {
  ASSERT_TRUE(is<Done>(create(transaction_number(1), key("k", "f"), R"({"id":1})")));
  for (int i = 0; i < 2; ++i) {
    const auto again = create(transaction_number(2), key("k", "f"), R"({"id":2})");
    ASSERT_TRUE(is<Replayed>(again));
    EXPECT_EQ(std::get<Replayed>(*again).id, id_number(1));
    EXPECT_EQ(std::get<Replayed>(*again).reply, R"({"id":1})");
    reopen();
  }
  EXPECT_THAT(walked({}), ElementsAre(id_number(1))) << "no second transaction";
}

TEST_P(StoreTest, RefusesAKeyThatWasUsedForAnotherRequest) {
  ASSERT_TRUE(create(transaction_number(1), key("k", "f")));
  const auto other = create(transaction_number(2), key("k", "g"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::idempotency_key_reused_with_different_body);
  EXPECT_EQ(found(id_number(2)), "not_found");
  EXPECT_TRUE(is<Replayed>(create(transaction_number(3), key("k", "f")))) << "the first use still counts";
}

TEST_P(StoreTest, KeepsTheKeysOfMerchantsApart) {
  ASSERT_TRUE(create(transaction_number(1, alice), key("k", "f"), "alice's"));
  EXPECT_TRUE(is<Done>(create(transaction_number(2, becky), key("k", "g"), "becky's")));
  EXPECT_EQ(std::get<Replayed>(*create(transaction_number(3, alice), key("k", "f"))).reply, "alice's");
  EXPECT_EQ(std::get<Replayed>(*create(transaction_number(4, becky), key("k", "g"))).reply, "becky's");
}

TEST_P(StoreTest, TellsKeysApartByteForByte) {
  const std::vector<std::string> keys{
      "k", "K", "k ", "\"k\"", "k'", std::string(255, 'k'), std::string(254, 'k')};
  for (std::uint64_t i = 0; i < keys.size(); ++i) {
    EXPECT_TRUE(is<Done>(create(transaction_number(i), key(keys[i], keys[i])))) << keys[i];
  }
}

TEST_P(StoreTest, ATwinOfARequestUnderWayIsToldSo) {
  std::vector<Committing> twins;
  for (std::uint64_t number = 1; number <= 5; ++number) {
    twins.emplace_back(
        [this, number] { return commit_new(*store_, {transaction_number(number), {}}, key("k")); });
  }
  const auto results = run_at_once(twins);
  EXPECT_TRUE(is<Done>(*results[0]));
  for (std::size_t i = 1; i < results.size(); ++i) {
    ASSERT_FALSE(*results[i]);
    EXPECT_EQ(results[i]->error().code, ErrorCode::idempotency_key_in_flight);
  }
  EXPECT_THAT(walked({}), ElementsAre(id_number(1)));
  EXPECT_TRUE(is<Replayed>(create(transaction_number(6), key("k")))) << "the key is free again";
}

TEST_P(StoreTest, FindsTheReplyOfAKeyAndStoresNothing) {
  EXPECT_FALSE(replay(key("k", "f")));
  ASSERT_TRUE(create(transaction_number(1), key("k", "f"), R"({"id":1})"));
  const auto earlier = replay(key("k", "f"));
  ASSERT_TRUE(earlier);
  EXPECT_EQ(earlier->id, id_number(1));
  EXPECT_EQ(earlier->reply, R"({"id":1})");
  const auto other = run([&] { return store_->find_reply(alice, key("k", "g")); });
  EXPECT_EQ(other.error().code, ErrorCode::idempotency_key_reused_with_different_body);
  EXPECT_FALSE(replay(key("k", "f"), becky)) << "another merchant's key";
  EXPECT_FALSE(replay(key("l", "f")));
  EXPECT_FALSE(replay(key("k", "g", Kind::refund))) << "a key of another kind of operation";
  EXPECT_THAT(walked({}), ElementsAre(id_number(1)));
}

TEST_P(StoreTest, TheReplyOfARequestUnderWayIsNotThereYet) {
  std::optional<Result<std::optional<Replayed>>> found_meanwhile;
  const std::vector<Committing> both{
      [this] { return commit_new(*store_, {transaction_number(1), {}}, key("k", "f")); },
      [this, &found_meanwhile]() -> Task<Result<Committed>> {
        auto same = key("k", "f");
        found_meanwhile.emplace(co_await store_->find_reply(alice, std::move(same)));
        co_return Done{};
      }};
  run_at_once(both);
  ASSERT_FALSE(*found_meanwhile);
  EXPECT_EQ(found_meanwhile->error().code, ErrorCode::idempotency_key_in_flight);
}

TEST_P(StoreTest, TwinsAtTwoProcessesMakeOneTransaction) {
  const auto other = open_again();
  for (std::uint64_t round = 0; round < 20; ++round) {
    std::vector<Committing> twins;
    for (auto* store : {store_.get(), other.get()}) {
      const auto number = round * 2 + twins.size();
      twins.emplace_back([store, number, round] {
        return commit_new(*store, {transaction_number(number), {}}, key(fmt::format("k{}", round)));
      });
    }
    const auto results = run_at_once(twins);
    EXPECT_EQ(std::ranges::count_if(results, [](const auto& result) { return is<Done>(*result); }), 1);
    EXPECT_EQ(std::ranges::count_if(results, [](const auto& result) { return is<Replayed>(*result); }), 1);
  }
  EXPECT_THAT(walked({}), SizeIs(20));
}

// --- Lists -------------------------------------------------------------------------------------

std::vector<TransactionId> numbers(const std::vector<std::uint64_t>& wanted) {
  std::vector<TransactionId> ids;
  for (const auto number : wanted) ids.push_back(id_number(number));
  return ids;
}

TEST_P(StoreTest, ListsTheNewestFirst) {
  EXPECT_THAT(listed({}), IsEmpty());
  for (const std::uint64_t number : {2, 1, 3}) ASSERT_TRUE(create(transaction_number(number)));
  ASSERT_TRUE(create(transaction_number(4, becky)));
  EXPECT_THAT(listed({}), ElementsAre(id_number(3), id_number(2), id_number(1)));
  EXPECT_THAT(listed({}, becky), ElementsAre(id_number(4)));
  EXPECT_THAT(listed(filter(50, {}, {}, id_number(3))), ElementsAre(id_number(2), id_number(1)));
  EXPECT_THAT(listed(filter(50, {}, {}, id_number(1))), IsEmpty());
}

TEST_P(StoreTest, CursorsWalkEverythingOnce) {
  create_numbers(1, 23);
  create_numbers(24, 30, becky);
  std::vector<TransactionId> newest_first;
  for (std::uint64_t number = 23; number >= 1; --number) newest_first.push_back(id_number(number));
  for (const std::size_t limit : {1U, 2U, 7U, 22U, 23U, 24U, 100U}) {
    EXPECT_EQ(walked(filter(limit)), newest_first) << "limit " << limit;
  }
}

TEST_P(StoreTest, SaysThatThereIsNoMoreWithTheLastPage) {
  create_numbers(1, 4);
  const auto page = [this](std::size_t limit, std::optional<TransactionId> before = {}) {
    return *run([&, before] { return store_->list_transactions(alice, filter(limit, {}, {}, before)); });
  };
  EXPECT_EQ(page(4).next, std::nullopt);
  EXPECT_EQ(page(2).next, id_number(3));
  EXPECT_EQ(page(2, id_number(3)).next, std::nullopt);
}

TEST_P(StoreTest, AttemptsAreWalkedFromTheOldestWithWhereTheyWentAndWhatCameOfIt) {
  auto first = transaction_number(1);
  first.metadata = R"({"channel":"web"})";
  first.payment_method = R"({"stripe":"pm_1"})";
  ASSERT_TRUE(create(settled(first, declined())));
  create_numbers(2, 2);
  ASSERT_TRUE(create(captured(3)));
  create_numbers(4, 4, becky);
  for (const std::size_t limit : {1U, 2U, 3U, 100U}) {
    EXPECT_THAT(attempts({alice, {}, {last_id}}, limit),
                ElementsAre(R"(1 100 USD {"channel":"web"} {"stripe":"pm_1"} psp declined soft_decline)",
                            "2 100 USD    requested ", "3 100 USD   psp succeeded "))
        << "limit " << limit;
  }
  EXPECT_THAT(attempts({alice, id_number(2), id_number(2)}, 100), SizeIs(1)) << "both ends are included";
  EXPECT_THAT(attempts({{77}, {}, {last_id}}, 100), IsEmpty());
}

TEST_P(StoreTest, AnAttemptThatCannotBeReadIsCountedAndStopsNobody) {
  create_numbers(1, 3);
  change(1, "currency = 'ZZZ'");
  for (const std::size_t limit : {1U, 2U, 100U}) {
    EXPECT_THAT(attempts({alice, {}, {last_id}}, limit), SizeIs(2));
    EXPECT_EQ(unreadable_, 1);
  }
  EXPECT_EQ(store_->set_aside().count, 1U);
}

TEST_P(StoreTest, RecentAttemptsAreThoseOfTheNewestPaymentsOfAllMerchants) {
  const auto recent = [this](TransactionId first, std::size_t limit) {
    auto found = run([&] { return store_->list_recent_attempts(first, limit); });
    EXPECT_TRUE(found);
    return found ? std::move(*found) : RecentAttempts();
  };
  const auto lines = [](const RecentAttempts& all) {
    std::vector<std::string> texts;
    for (const auto& one : all.items) {
      texts.push_back(fmt::format("{} {} {} {} {}", int{one.payment.value.bytes[7]}, one.psp,
                                  payment::to_string(one.phase), one.reason.code,
                                  payment::to_string(one.reason.kind)));
      EXPECT_GE(one.at, start);
    }
    return texts;
  };
  EXPECT_EQ(recent({}, 10).payments, 0U);
  ASSERT_TRUE(create(settled(transaction_number(1), declined())));
  create_numbers(2, 2, becky);
  ASSERT_TRUE(create(captured(3, becky)));
  ASSERT_TRUE(create(captured(4)));
  const auto all = recent({}, 10);
  EXPECT_THAT(lines(all), ElementsAre("4 psp succeeded  ", "3 psp succeeded  ", HasSubstr("1 psp declined")));
  EXPECT_THAT(lines(all).back(), HasSubstr("soft_decline"));
  EXPECT_EQ(all.payments, 4U) << "also the one that nothing was sent for";
  EXPECT_EQ(all.oldest, id_number(1));
  EXPECT_THAT(lines(recent({}, 3)), SizeIs(2));
  EXPECT_EQ(recent({}, 3).oldest, id_number(2));
  EXPECT_THAT(lines(recent({}, 1)), ElementsAre("4 psp succeeded  "));
  EXPECT_THAT(lines(recent(id_number(3), 10)), SizeIs(2)) << "the first one is included";
  EXPECT_THAT(lines(recent({last_id}, 10)), IsEmpty());
}

TEST_P(StoreTest, FiltersByStatusAndCurrency) {
  for (std::uint64_t number = 1; number <= 12; ++number) {
    auto transaction = transaction_number(number);
    if (number % 2 == 0) transaction.amount = Money(100, jpy);
    if (number % 3 == 0) {
      ASSERT_TRUE(create(settled(transaction, declined())));
    } else {
      ASSERT_TRUE(create(transaction));
    }
  }
  for (const std::size_t limit : {1U, 2U, 3U, 50U}) {
    EXPECT_EQ(walked(filter(limit, Status::declined)), numbers({12, 9, 6, 3}));
    EXPECT_EQ(walked(filter(limit, {}, jpy)), numbers({12, 10, 8, 6, 4, 2}));
    EXPECT_EQ(walked(filter(limit, Status::declined, jpy)), numbers({12, 6}));
    EXPECT_THAT(walked(filter(limit, Status::captured)), IsEmpty());
  }
}

TEST_P(StoreTest, FiltersByTheMerchantsReference) {
  for (std::uint64_t number = 1; number <= 12; ++number) {
    auto transaction = transaction_number(number, number == 5 ? becky : alice);
    if (number % 5 == 0) transaction.reference = "order '5'";
    if (number % 4 == 0) transaction.reference = "order";
    if (number % 2 == 0) transaction.amount = Money(100, jpy);
    ASSERT_TRUE(create(transaction));
  }
  for (const std::size_t limit : {1U, 2U, 50U}) {
    auto wanted = filter(limit);
    wanted.reference = "order";
    EXPECT_EQ(walked(wanted), numbers({12, 8, 4}));
    EXPECT_THAT(walked(wanted, becky), IsEmpty());
    wanted.reference = "order '5'";
    EXPECT_EQ(walked(wanted), numbers({10}));
    EXPECT_EQ(walked(wanted, becky), numbers({5}));
    wanted.currency = usd;
    EXPECT_THAT(walked(wanted), IsEmpty());
    wanted.reference = "Order";
    EXPECT_THAT(walked(wanted), IsEmpty());
  }
}

TEST_P(StoreTest, FiltersByTheTimeOfCreationWhateverTheIdsAre) {
  for (std::uint64_t number = 1; number <= 6; ++number) {
    auto transaction = transaction_number(number);
    // The jobs of others have ids of no time.
    transaction.created_at = start + seconds(static_cast<std::int64_t>(number * 7 % 10));
    ASSERT_TRUE(create(transaction));
  }
  // Created at 7, 4, 1, 8, 5, 2.
  for (const std::size_t limit : {1U, 2U, 50U}) {
    auto wanted = filter(limit);
    wanted.created_from = start + seconds(4);
    EXPECT_EQ(walked(wanted), numbers({5, 4, 2, 1}));
    wanted.created_to = start + seconds(8);
    EXPECT_EQ(walked(wanted), numbers({5, 2, 1})) << "before it, and not at it";
    wanted.created_from.reset();
    EXPECT_EQ(walked(wanted), numbers({6, 5, 3, 2, 1}));
  }
}

TEST_P(StoreTest, FindsTheFewOldOnesThatAFilterLeavesOfVeryManyAThousandRowsAPage) {
  constexpr std::uint64_t count = 4'500;
  constexpr std::uint64_t at_once = 1'500;
  for (std::uint64_t first = 1; first <= count; first += at_once) {
    create_at_once(first, first + at_once - 1, [](std::uint64_t number) {
      auto transaction = transaction_number(number);
      if (number <= 3) transaction.amount = Money(100, jpy);
      return transaction;
    });
  }
  EXPECT_THAT(walked(filter(50, {}, jpy)), ElementsAre(id_number(3), id_number(2), id_number(1)));
  const auto page = run([&] { return store_->list_transactions(alice, filter(50, {}, jpy)); });
  EXPECT_THAT(page->items, IsEmpty());
  EXPECT_EQ(page->next, id_number(count - 999)) << "the thousandth row";
}

// All are asked at once, and what is compared is the order in which they are answered. So many that most of
// them are left when the last one is asked, also on a machine with too much to do.
TEST_P(StoreTest, ListsOfOneMerchantHoldUpNeitherAnothersNorALogin) {
  constexpr std::size_t lists = 600;
  ASSERT_TRUE(add_user({.id = becky, .username = "becky", .password_hash = "h"}));
  create_at_once(1, 1'000, [](std::uint64_t number) { return transaction_number(number); });

  std::vector<std::string> answered;
  std::vector<std::function<Task<bool>()>> reads;
  // Each looks at all rows and shows none.
  const auto list_of = [&](MerchantId who, const char* name) -> Task<bool> {
    const auto declined = filter(50, Status::declined);
    const auto page = co_await store_->list_transactions(who, declined);
    answered.emplace_back(name);
    co_return page.has_value();
  };
  for (std::size_t i = 0; i < lists; ++i) reads.emplace_back([&] { return list_of(alice, "alice"); });
  reads.emplace_back([&] { return list_of(becky, "becky"); });
  reads.emplace_back([&]() -> Task<bool> {
    const auto user = co_await store_->find_user("becky");
    answered.emplace_back("login");
    co_return user.has_value();
  });
  for (const auto& done : run_at_once(reads)) EXPECT_TRUE(*done);
  for (const char* name : {"becky", "login"}) {
    const auto place = std::ranges::find(answered, name) - answered.begin();
    EXPECT_LT(place, static_cast<std::ptrdiff_t>(lists / 2)) << name << " waited for all of alice's";
  }
}

// --- Claims ------------------------------------------------------------------------------------

TEST_P(StoreTest, ClaimsWhatIsDueAndWritesDownTheIntent) {
  create_numbers(1, 1);
  const auto claimed = claim_one(start + seconds(1));
  EXPECT_EQ(claimed.action, Action::send);
  EXPECT_EQ(claimed.state.transaction.version, 1);
  EXPECT_EQ(claimed.state.transaction.status, Status::processing);
  EXPECT_EQ(claimed.operation().psp, "psp");
  EXPECT_EQ(claimed.operation().request, "'request' of authorize \xc3\xa9");
  reopen();
  EXPECT_EQ(found(id_number(1)), describe(claimed.state)) << "what the claim gave is what is on disk";
}

TEST_P(StoreTest, ClaimsNothingBeforeItIsDue) {
  auto transaction = transaction_number(1);
  transaction.next_action_at = start + milliseconds(100);
  ASSERT_TRUE(create(transaction));
  const auto over = settled(transaction_number(2), declined());
  ASSERT_TRUE(create(over));
  EXPECT_THAT(claim(start + milliseconds(99)), IsEmpty());
  EXPECT_EQ(ids_of(claim(start + milliseconds(100))), std::vector{id_number(1)});
  EXPECT_EQ(found(id_number(2)), describe(over));
}

TEST_P(StoreTest, ClaimsWhatIsDueLongestFirstUpToTheLimit) {
  const std::vector<std::int64_t> due_ms{30, 10, 50, 20, 40};
  for (std::uint64_t i = 0; i < due_ms.size(); ++i) {
    auto transaction = transaction_number(i, {static_cast<std::int64_t>(1 + i % 2)});
    transaction.next_action_at = start + milliseconds(due_ms[i]);
    ASSERT_TRUE(create(transaction));
  }
  EXPECT_THAT(ids_of(claim(start + seconds(1), 2)), ElementsAre(id_number(1), id_number(3)));
  EXPECT_THAT(ids_of(claim(start + seconds(1), 2)), ElementsAre(id_number(0), id_number(4)));
  EXPECT_THAT(ids_of(claim(start + seconds(1), 2)), ElementsAre(id_number(2)));
  EXPECT_THAT(claim(start + seconds(1), 2), IsEmpty());
}

TEST_P(StoreTest, AClaimIsNobodyElsesUntilTheLeaseEnds) {
  create_numbers(1, 1);
  const auto first = claim_one(start);
  EXPECT_THAT(claim(start + policy.lease - milliseconds(1)), IsEmpty());
  reopen();
  EXPECT_THAT(claim(start + policy.lease - milliseconds(1)), IsEmpty());

  const auto second = claim_one(start + policy.lease);
  EXPECT_EQ(second.action, Action::look_up);
  EXPECT_EQ(second.state.transaction.version, 2);
  EXPECT_EQ(second.state.transaction.status, Status::unknown);
  EXPECT_EQ(second.operation().idempotency_key, first.operation().idempotency_key);
  EXPECT_EQ(second.operation().number, 1);
}

TEST_P(StoreTest, TwoProcessesNeverClaimTheSameTransaction) {
  constexpr std::uint64_t count = 400;
  create_at_once(1, count, [](std::uint64_t number) { return transaction_number(number); });

  const auto other = open_again();
  std::vector<std::vector<TransactionId>> claimed(2);
  std::vector<std::future<void>> working;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto work = [&store = i == 0 ? *store_ : *other, &mine = claimed[i]]() -> Task<void> {
      for (;;) {
        Work due = due_work(start, 3);
        auto decide = decide_claim(start);
        const auto batch = co_await store.take(std::move(due), std::move(decide));
        EXPECT_TRUE(batch);
        if (!batch || batch->empty()) co_return;
        for (const auto id : ids_of(steps_of(*batch))) mine.push_back(id);
      }
    };
    working.push_back(asio::co_spawn(threads_.executor(i), work, asio::use_future));
  }
  for (auto& worker : working) worker.get();

  std::set<TransactionId> all;
  for (const auto& mine : claimed) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(claimed[0].size() + claimed[1].size(), count);
  EXPECT_EQ(all.size(), count);
}

// --- Answers -----------------------------------------------------------------------------------

TEST_P(StoreTest, SavesWhatCameOfAnOperation) {
  create_numbers(1, 1);
  const auto done = payment::answered(claim_one(start), succeeded(), psp, start + seconds(1), policy).state;
  EXPECT_EQ(done.transaction.status, Status::captured);
  ASSERT_TRUE(is<Done>(save(done)));
  EXPECT_TRUE(is<Done>(save(done))) << "a commit whose answer was lost is sent again";
  reopen();
  EXPECT_EQ(found(id_number(1)), describe(done));
  EXPECT_THAT(claim(start + std::chrono::hours(1000)), IsEmpty()) << "nothing is left to do";
}

TEST_P(StoreTest, KeepsWhatWasTriedBefore) {
  create_numbers(1, 1);
  auto now = start;
  const auto refused =
      payment::answered(claim_one(now), payment::NotSent{"connection refused"}, psp, now, policy);
  ASSERT_TRUE(is<Done>(save(refused.state)));
  EXPECT_EQ(found(id_number(1)), describe(refused.state));
  now = *refused.state.transaction.next_action_at;
  const auto over = payment::answered(claim_one(now), declined(), psp, now + seconds(1), policy);
  ASSERT_TRUE(is<Done>(save(over.state)));
  EXPECT_EQ(over.operation().sends, 2);
  EXPECT_EQ(found(id_number(1)), describe(over.state));
}

TEST_P(StoreTest, CountsTheLookUpsOfAnOperation) {
  create_numbers(1, 1);
  auto now = start;
  for (int look_ups = 1; look_ups <= 3; ++look_ups) {
    const auto unknown =
        payment::found(claim_one(now), payment::OutcomeUnknown{"time-out"}, psp, now, policy).state;
    ASSERT_TRUE(is<Done>(save(unknown)));
    now = *unknown.transaction.next_action_at;
    EXPECT_EQ(unknown.operations.at(0).look_ups, look_ups);
    EXPECT_EQ(found(id_number(1)), describe(unknown));
  }
}

TEST_P(StoreTest, AnAnswerThatComesAfterTheNextClaimChangesNothing) {
  for (const payment::Answer& late : std::vector<payment::Answer>{
           succeeded(), declined(), payment::NotSent{"refused"}, payment::OutcomeUnknown{"time-out"}}) {
    const auto id = TransactionId{Uuid::generate()};
    auto transaction = transaction_number(1);
    transaction.id = id;
    ASSERT_TRUE(create(transaction));
    const auto stalled = claim_one(start);
    const auto current = claim_one(start + policy.lease);
    const auto before = found(id);

    EXPECT_TRUE(is<Stale>(save(stalled, late, start + policy.lease + seconds(1))));
    EXPECT_EQ(found(id), before);

    EXPECT_TRUE(is<Done>(save(current, succeeded(), start + policy.lease + seconds(2))));
    const auto after = found(id);
    EXPECT_TRUE(is<Stale>(save(stalled, late, start + policy.lease + seconds(3))));
    EXPECT_EQ(found(id), after) << "nor when the transaction is settled";
  }
}

TEST_P(StoreTest, AnAnswerOfATransactionThatIsNotThereChangesNothing) {
  create_numbers(1, 1);
  auto claimed = claim_one(start);
  claimed.state.transaction.id = id_number(2);
  EXPECT_TRUE(is<Stale>(save(claimed, succeeded(), start)));
  EXPECT_EQ(found(id_number(2)), "not_found");
}

// --- Operations of every kind ------------------------------------------------------------------

TEST_P(StoreTest, KeepsOperationsOfEveryKindWhole) {
  auto transaction = transaction_number(1);
  transaction.capture_method = CaptureMethod::manual;
  ASSERT_TRUE(create(transaction));
  ASSERT_TRUE(is<Done>(save(claim_one(start), succeeded(), start)));
  auto now = start;
  const auto carry_out = [&](const payment::Request& asked, const payment::Answer& answer) {
    now += seconds(1);
    auto taken = take_one(1, decide_request(asked, now));
    ASSERT_EQ(word(taken), "decided");
    EXPECT_EQ(found(id_number(1)), describe(std::get<Decided>(taken).step.state));
    const auto claimed = claim_one(now);
    EXPECT_EQ(claimed.operation().kind, asked.kind);
    EXPECT_EQ(found(id_number(1)), describe(claimed.state));
    const auto answered = payment::answered(claimed, answer, psp, now + seconds(1), policy);
    ASSERT_TRUE(is<Done>(save(answered.state)));
    EXPECT_EQ(found(id_number(1)), describe(answered.state));
  };
  carry_out(wanted(Kind::capture, 60, false), succeeded(60));
  carry_out(wanted(Kind::capture, 10, false), declined());
  carry_out(wanted(Kind::void_), succeeded(40));
  carry_out(wanted(Kind::refund, 25), payment::Rejected{"no such account"});
  carry_out(wanted(Kind::refund, 10), payment::Pending{"psp-ref", {}});
  carry_out(wanted(Kind::refund), payment::Contradicted{"another amount", "psp-ref"});
  reopen();
  const auto state = *run([&] { return store_->find_transaction(alice, id_number(1)); });
  EXPECT_THAT(state.operations, SizeIs(7));
  EXPECT_EQ(state.transaction.status, Status::manual_review);
  EXPECT_EQ(state.transaction.captured_minor, 60);

  const auto back = take_one(1, [&](State taken) {
    return Decided{{payment::take_back(std::move(taken), 2, "charged back", now)}};
  });
  EXPECT_EQ(found(id_number(1)), describe(std::get<Decided>(back).step.state));
  EXPECT_EQ(std::get<Decided>(back).step.state.operations.at(1).phase, Phase::manual_review);
  const auto ended = take_one(1, [&](State taken) {
    return Decided{{*payment::resolve(std::move(taken), 7, {false, "psp-own", "looked it up"}, now)}};
  });
  EXPECT_EQ(found(id_number(1)), describe(std::get<Decided>(ended).step.state));
}

TEST_P(StoreTest, TheNextOperationIsDueWithTheAnswerToTheOneBefore) {
  ASSERT_TRUE(create(captured(1)));
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(word(take_one(1, decide_request(wanted(Kind::refund, 10)))), "decided");
  auto now = start;
  for (int left = 3; left > 0; --left) {
    EXPECT_EQ(backlog(), 1);
    const auto claimed = claim_one(now);
    EXPECT_THAT(claim(now), IsEmpty()) << "one at a time";
    const auto answered = payment::answered(claimed, succeeded(10), psp, ++now, policy);
    ASSERT_TRUE(is<Done>(save(answered.state)));
    EXPECT_EQ(found(id_number(1)), describe(answered.state));
  }
  EXPECT_EQ(backlog(), 0);
}

TEST_P(StoreTest, AnAnswerIsStaleOnceAMerchantHasAskedForMoreAndCountsWithWhatWasAsked) {
  auto transaction = transaction_number(1);
  transaction.capture_method = CaptureMethod::manual;
  ASSERT_TRUE(create(transaction));
  ASSERT_TRUE(is<Done>(save(claim_one(start), succeeded(), start)));
  ASSERT_EQ(word(take_one(1, decide_request(wanted(Kind::capture, 30, false)))), "decided");
  const auto claimed = claim_one(start);
  ASSERT_EQ(word(take_one(1, decide_request(wanted(Kind::capture, 20, false)))), "decided");
  const auto before = found(id_number(1));
  EXPECT_TRUE(is<Stale>(save(claimed, succeeded(30), start + seconds(1))));
  EXPECT_EQ(found(id_number(1)), before);

  const auto late = take_one(1, [&claimed](State state) {
    auto current = *payment::caught_up(std::move(state), payment::claim_of(claimed));
    return Decided{payment::answered(std::move(current), succeeded(30), psp, start + seconds(1), policy)};
  });
  const auto& state = std::get<Decided>(late).step.state;
  EXPECT_EQ(found(id_number(1)), describe(state));
  EXPECT_EQ(state.transaction.captured_minor, 30);
  EXPECT_EQ(claim_one(start + seconds(1)).operation().amount, Money(20, usd));
}

// --- Transactions taken by name ----------------------------------------------------------------

TEST_P(StoreTest, TakesByNameWhatIsDueOrNotInTheOrderOfTheNames) {
  for (std::uint64_t number = 1; number <= 3; ++number) {
    auto transaction = transaction_number(number, number == 2 ? becky : alice);
    transaction.next_action_at = start + seconds(30);
    ASSERT_TRUE(create(transaction));
  }
  const NamedWork work{{{alice, id_number(3)}, {becky, id_number(2)}, {alice, id_number(1)}}};
  const auto claimed = steps_of(take(work, decide_claim(start)));
  EXPECT_THAT(ids_of(claimed), ElementsAre(id_number(3), id_number(2), id_number(1)));
  for (const auto& step : claimed) {
    const auto& transaction = step.state.transaction;
    EXPECT_EQ(found(transaction.id, transaction.merchant_id), describe(step.state));
  }
}

TEST_P(StoreTest, WhatIsAnotherMerchantsOrNotThereIsNotTaken) {
  create_numbers(1, 1, alice);
  const auto never = [](State) -> Decided {
    ADD_FAILURE() << "there is nothing to decide";
    std::abort();
  };
  EXPECT_EQ(word(take_one(1, never, key("k"), becky)), "not_found");
  EXPECT_EQ(word(take_one(2, never, key("k"))), "not_found");
  EXPECT_FALSE(replay(key("k")));
  EXPECT_FALSE(replay(key("k"), becky)) << "its key is free";
  EXPECT_EQ(found(id_number(1)), describe(transaction_number(1)));
}

TEST_P(StoreTest, WhatIsOnlyLookedAtIsNotChanged) {
  create_numbers(1, 1);
  const auto taken = take_one(1, [](State state) {
    state.transaction.version = 7;
    return Decided{{std::move(state)}, false};
  });
  EXPECT_EQ(word(taken), "decided");
  EXPECT_EQ(found(id_number(1)), describe(transaction_number(1)));
}

TEST_P(StoreTest, ARefusalChangesNothingAndItsNeighboursAreDone) {
  for (const std::uint64_t number : {1, 2, 3}) ASSERT_TRUE(create(captured(number)));
  const auto refund_all_but_2 = [](State state) -> std::expected<Decided, Refusal> {
    const bool too_much = state.transaction.id == id_number(2);
    return decide_request(wanted(Kind::refund, too_much ? 101 : 1))(std::move(state));
  };
  NamedWork work;
  for (const std::uint64_t number : {3, 2, 9, 1}) work.all.push_back({alice, id_number(number)});
  std::vector<std::string> words;
  for (const auto& taken : take(work, refund_all_but_2)) words.push_back(word(taken));
  EXPECT_THAT(words, ElementsAre("decided", "over what is left", "not_found", "decided"));
  EXPECT_EQ(found(id_number(2)), describe(captured(2)));
}

TEST_P(StoreTest, ARequestIsAnsweredAgainAsItWasTheFirstTime) {
  ASSERT_TRUE(create(captured(1)));
  const auto refund = [this](const std::string& fingerprint, std::string reply) {
    return word(take_one(1, decide_request(wanted(Kind::refund, 60), start, std::move(reply)),
                         key("k", fingerprint, Kind::refund)));
  };
  EXPECT_EQ(refund("f", "first"), "decided");
  const auto before = found(id_number(1));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(refund("f", "second"), "replayed first");
    EXPECT_EQ(refund("g", "other"), "idempotency_key_reused_with_different_body");
    reopen();
  }
  EXPECT_EQ(found(id_number(1)), before) << "one refund";
  EXPECT_EQ(replay(key("k", "f", Kind::refund))->id, id_number(1));
}

TEST_P(StoreTest, ARequestThatIsRefusedLeavesItsKeyFree) {
  ASSERT_TRUE(create(captured(1)));
  EXPECT_EQ(word(take_one(1, decide_request(wanted(Kind::refund, 101)), key("k", "f", Kind::refund))),
            "over what is left");
  EXPECT_FALSE(replay(key("k", "f", Kind::refund)));
  EXPECT_EQ(word(take_one(1, decide_request(wanted(Kind::refund, 100)), key("k", "g", Kind::refund))),
            "decided");
}

TEST_P(StoreTest, OneKeyForTwoKindsOfOperationIsTwoKeys) {
  auto transaction = transaction_number(1);
  transaction.capture_method = CaptureMethod::manual;
  ASSERT_TRUE(is<Done>(create(transaction, key("k", "a"), "created")));
  ASSERT_TRUE(is<Done>(save(claim_one(start), succeeded(), start)));
  EXPECT_EQ(word(take_one(1, decide_request(wanted(Kind::capture, 60), start, "captured"),
                          key("k", "c", Kind::capture))),
            "decided");
  EXPECT_EQ(replay(key("k", "a"))->reply, "created");
  EXPECT_EQ(replay(key("k", "c", Kind::capture))->reply, "captured");
}

TEST_P(StoreTest, ATwinOfARequestForAnOperationUnderWayIsToldSo) {
  ASSERT_TRUE(create(captured(1)));
  std::vector<std::function<Task<Result<std::vector<Taken>>>()>> twins;
  for (int i = 0; i < 5; ++i) {
    twins.emplace_back([this] {
      NamedWork work{{{alice, id_number(1), key("k", "f", Kind::refund)}}};
      return store_->take(std::move(work), decide_request(wanted(Kind::refund, 10)));
    });
  }
  std::vector<std::string> words;
  for (const auto& result : run_at_once(twins)) words.push_back(word((**result).at(0)));
  std::vector<std::string> expected(5, "idempotency_key_in_flight");
  expected[0] = "decided";
  EXPECT_EQ(words, expected);
  EXPECT_THAT(run([&] { return store_->find_transaction(alice, id_number(1)); })->operations, SizeIs(2));
  EXPECT_EQ(word(take_one(1, decide_request(wanted(Kind::refund, 10)), key("k", "f", Kind::refund))),
            "replayed {}");
}

TEST_P(StoreTest, ManyAtOnceNeverTakeMoreThanThereIs) {
  ASSERT_TRUE(create(captured(1)));
  const auto other = open_again();
  std::vector<std::function<Task<Result<std::vector<Taken>>>()>> refunds;
  for (int i = 0; i < 100; ++i) {
    auto* store = i % 2 == 0 ? store_.get() : other.get();
    refunds.emplace_back([store] {
      NamedWork work{{{alice, id_number(1)}}};
      return store->take(std::move(work), decide_request(wanted(Kind::refund, 10)));
    });
  }
  std::vector<std::string> words;
  for (const auto& result : run_at_once(refunds)) {
    ASSERT_TRUE(*result);
    words.push_back(word((**result).at(0)));
  }
  EXPECT_EQ(std::ranges::count(words, "decided"), 10);
  EXPECT_EQ(std::ranges::count(words, "over what is left"), 90);
  const auto state = *run([&] { return store_->find_transaction(alice, id_number(1)); });
  EXPECT_THAT(state.operations, SizeIs(11));
  EXPECT_EQ(state.transaction.version, 11);
}

// --- A queue outside the store -----------------------------------------------------------------

TEST_P(StoreTest, LeavesWhatIsQueuedToAnOutsideQueue) {
  create_numbers(1, 2);
  ASSERT_TRUE(save(claim_one(start), payment::NotSent{"refused"}, start));
  EXPECT_THAT(ids_of(claim(start + seconds(10), 100, Which::started)), ElementsAre(id_number(1)));
  EXPECT_THAT(ids_of(claim(start + seconds(10))), ElementsAre(id_number(2)));
}

TEST_P(StoreTest, HandsOutWhatIsQueuedToTheQueueThatShouldHoldIt) {
  create_numbers(1, 3);
  claim_one(start);
  EXPECT_THAT(put_off(start - milliseconds(1), start + seconds(30), 100), IsEmpty());
  EXPECT_THAT(put_off(start, start + seconds(30), 1), SizeIs(1));
  EXPECT_THAT(put_off(start, start + seconds(30), 100), SizeIs(1)) << "not the one of before";
  EXPECT_THAT(put_off(start + policy.lease + seconds(1), start + seconds(90), 100), IsEmpty())
      << "what has been started is not queued any more";
  EXPECT_THAT(put_off(start + seconds(30), start + seconds(60), 100), SizeIs(2));
  EXPECT_EQ(backlog(), 3);
}

TEST_P(StoreTest, TwinsOfAJobInTwoProcessesClaimItOnce) {
  const auto other = open_again();
  for (std::uint64_t round = 0; round < 20; ++round) {
    create_numbers(2 * round, 2 * round + 1);
    std::vector<std::function<Task<Result<std::vector<Taken>>>()>> twins;
    for (auto* store : {store_.get(), other.get()}) {
      twins.emplace_back([store, round] {
        NamedWork work{{{alice, id_number(2 * round)}, {alice, id_number(2 * round + 1)}}};
        return store->take(std::move(work), decide_claim_of_queued(start));
      });
    }
    int claimed = 0;
    for (const auto& taken : run_at_once(twins)) {
      ASSERT_TRUE(*taken);
      for (const auto& step : steps_of(**taken)) claimed += step.action == Action::send ? 1 : 0;
    }
    EXPECT_EQ(claimed, 2);
  }
}

TEST_P(StoreTest, KeepsWhatAForeignWorkerFailedAndThenFinished) {
  create_numbers(1, 1);
  const auto settle = [](const payment::Elsewhere& outcome, Timestamp now) -> Decide {
    return [outcome, now](State state) -> Decided {
      if (!payment::may_settle(state, "rq-worker", outcome)) return {{std::move(state)}, false};
      return {{payment::settle(std::move(state), "rq-worker", outcome, now)}};
    };
  };
  for (const auto& outcome : std::vector<payment::Elsewhere>{payment::FailedElsewhere{"ValueError: no"},
                                                             payment::ChargedElsewhere{}}) {
    const auto taken = take_one(1, settle(outcome, start));
    EXPECT_TRUE(std::get<Decided>(taken).is_changed);
    EXPECT_EQ(found(id_number(1)), describe(std::get<Decided>(taken).step.state));
  }
  EXPECT_FALSE(std::get<Decided>(take_one(1, settle(payment::ChargedElsewhere{}, start))).is_changed);
  EXPECT_EQ(backlog(), 0);
}

TEST_P(StoreTest, AForeignWorkerIsNeverForgotten) {
  EXPECT_FALSE(*run([&] { return store_->has_seen_foreign_worker(); }));
  for (int time = 0; time < 2; ++time) ASSERT_TRUE(run([&] { return store_->note_foreign_worker(start); }));
  const auto again = open_again();
  EXPECT_TRUE(*run([&] { return again->has_seen_foreign_worker(); }));
}

TEST_P(StoreTest, MeasuresWhatIsLeftToDo) {
  const auto measured = [this] { return *run([&] { return store_->measure_workload(); }); };
  EXPECT_EQ(measured().oldest_due, std::nullopt);
  auto later = transaction_number(2);
  later.next_action_at = start + seconds(30);
  ASSERT_TRUE(create(later));
  create_numbers(1, 1);
  EXPECT_EQ(measured().oldest_due, start);
  EXPECT_EQ(measured().oldest_started, std::nullopt);
  const auto claimed = claim_one(start);
  EXPECT_EQ(measured().oldest_started, start + policy.lease);
  EXPECT_EQ(measured().oldest_due, start + policy.lease);
  ASSERT_TRUE(save(claimed, payment::Contradicted{"another amount", "ref"}, start));
  EXPECT_EQ(measured().oldest_due, start + seconds(30));
  EXPECT_EQ(measured().oldest_started, std::nullopt);
  EXPECT_EQ(measured().in_review, 1);
}

// --- A clock that was ahead ---------------------------------------------------------------------

TEST_P(StoreTest, WhatAClockThatWasAheadPutOffIsDueNow) {
  const auto ahead = start + std::chrono::hours(24);
  for (std::uint64_t number = 1; number <= 2; ++number) {
    auto transaction = transaction_number(number);
    transaction.next_action_at = ahead;
    ASSERT_TRUE(create(transaction));
  }
  create_numbers(3, 3);
  EXPECT_EQ(ids_of(claim(start, 1)), std::vector{id_number(3)}) << "what is due by its time comes first";
  const auto claimed = claim(start, 1);
  EXPECT_THAT(claimed, SizeIs(1));
  EXPECT_THAT(put_off(start, start + seconds(30), 100), SizeIs(1));
  // The lease and look-ups of the wrong clock, too.
  ASSERT_TRUE(save(claimed.at(0), payment::OutcomeUnknown{"time-out"}, ahead));
  EXPECT_EQ(ids_of(claim(start, 100, Which::started)), ids_of(claimed));
}

TEST_P(StoreTest, WhatAScheduleGivesIsNotTakenForAWrongClock) {
  auto patient = transaction_number(1);
  patient.next_action_at = start + payment::longest_delay(policy);
  ASSERT_TRUE(create(patient));
  EXPECT_THAT(claim(start), IsEmpty());
  EXPECT_THAT(put_off(start, *patient.next_action_at, 100), IsEmpty());
}

// --- Rows that cannot be read -------------------------------------------------------------------

TEST_P(StoreTest, AWithdrawnCurrencyIsWorkedOffAndShown) {
  create_numbers(1, 2);
  change(1, "currency = 'BGN'");
  const auto claimed = claim(start);
  EXPECT_THAT(ids_of(claimed), UnorderedElementsAre(id_number(1), id_number(2)));
  EXPECT_THAT(listed(filter(10)), ElementsAre(id_number(2), id_number(1)));
  EXPECT_THAT(found(id_number(1)), HasSubstr("'BGN'"));
  EXPECT_EQ(store_->set_aside().count, 0U);
}

// What a newer version, a person or a bad disk may leave.
const auto unreadable = {"status = 'authorizing'", "currency = 'ZZZ'", "capture_method = 'later'",
                         "operation_count = 7",    "version = -1",     "status = 'captured'"};

TEST_P(StoreTest, ARowThatCannotBeReadIsSetAsideAndStopsNobody) {
  std::uint64_t number = 0;
  for (const auto* broken : unreadable) {
    create_numbers(number + 1, number + 2);
    change(number + 1, broken);
    const auto good = id_number(number + 2);
    // One at a time, so that it has to come past the other one, which is due as long.
    std::vector<TransactionId> claimed;
    for (int claims = 0; claims < 3; ++claims) {
      for (const auto id : ids_of(claim(start, 1))) claimed.push_back(id);
    }
    EXPECT_EQ(claimed, std::vector{good}) << broken;
    EXPECT_EQ(found(id_number(number + 1)), "set_aside") << broken;
    number += 2;
    EXPECT_EQ(store_->set_aside().count, number / 2) << broken;
    EXPECT_THAT(walked(filter(1)), SizeIs(number / 2)) << broken;
    EXPECT_THAT(walked(filter(100)), SizeIs(number / 2)) << broken;
  }
  EXPECT_NE(store_->set_aside().example.find(id_number(1).value.to_string()), std::string::npos);
  EXPECT_THAT(claim(start + set_aside_time - seconds(1)), SizeIs(number / 2))
      << "no claim meets it again soon";
}

TEST_P(StoreTest, ARowThatWasSetAsideIsWorkedOffWhenItIsRepaired) {
  create_numbers(1, 1);
  change(1, "status = 'authorizing'");
  EXPECT_THAT(claim(start), IsEmpty());
  change(1, "status = 'queued'");
  EXPECT_THAT(claim(start), IsEmpty());
  EXPECT_THAT(claim(start + set_aside_time), SizeIs(1));
}

TEST_P(StoreTest, AnOutsideQueueIsNotStoppedByARowThatCannotBeRead) {
  create_numbers(1, 3);
  change(1, "currency = 'ZZZ'");
  change(2, "status = 'authorizing'");
  EXPECT_THAT(put_off(start, start + seconds(30), 100), ElementsAre(id_number(3)));
  NamedWork work;
  for (const std::uint64_t number : {1, 2, 3}) work.all.push_back({alice, id_number(number)});
  std::vector<std::string> words;
  for (const auto& taken : take(work, decide_claim_of_queued(start))) words.push_back(word(taken));
  EXPECT_THAT(words, ElementsAre("set_aside", "set_aside", "decided"));
}

TEST_P(StoreTest, WhatCannotBeReadMakesNoPageShort) {
  create_numbers(1, 12);
  for (const std::uint64_t number : {1, 2, 5, 6, 7, 11}) change(number, "currency = 'ZZZ'");
  EXPECT_THAT(put_off(start, start + seconds(30), 3), SizeIs(3))
      << "a short page says that there are no more";
  EXPECT_THAT(put_off(start, start + seconds(30), 100), SizeIs(3));
  EXPECT_THAT(claim(start + seconds(30), 5), SizeIs(5)) << "nor a claim";
}

TEST_P(StoreTest, WhatCannotBeReadIsCountedLikeAllOthers) {
  create_numbers(1, 2);
  ASSERT_TRUE(create(transaction_number(3), key("k", "f"), R"({"id":3})"));
  change(1, "status = 'authorizing'");
  change(3, "currency = 'ZZZ'");
  EXPECT_EQ(backlog(), 3);
  EXPECT_EQ(run([&] { return store_->measure_workload(); })->oldest_due, start);
  const auto largest = run([&] { return store_->largest_backlogs(100, 10); });
  ASSERT_THAT(*largest, SizeIs(1));
  EXPECT_EQ(largest->at(0).count, 3);
  const auto reply = replay(key("k", "f"));
  ASSERT_TRUE(reply) << "its key is answered as it was";
  EXPECT_EQ(reply->reply, R"({"id":3})");
  EXPECT_TRUE(run([&] { return store_->check_writable(start); }));
}

TEST_P(StoreTest, AnOperationThatCannotBeReadSetsItsTransactionAside) {
  const auto broken = {"phase = 'resting'", "kind = 'dispute'",   "reason_kind = 'mood'", "number = 7",
                       "look_ups = -1",     "amount_minor = 101", "phase = 'succeeded'"};
  std::uint64_t number = 0;
  for (const auto* how : broken) {
    ++number;
    create_numbers(number, number);
    claim_one(start);
    change_operations(number, how);
    EXPECT_EQ(found(id_number(number)), "set_aside") << how;
    EXPECT_EQ(word(take_one(number, decide_claim(start))), "set_aside") << how;
  }
  ++number;
  create_numbers(number, number);
  claim_one(start);
  GetParam().execute(folder_,
                     fmt::format("DELETE FROM operations WHERE transaction_id = {}", literal(number)));
  ++number;
  create_numbers(number, number);
  claim_one(start);
  EXPECT_EQ(ids_of(claim(start + seconds(60))), std::vector{id_number(number)});
  EXPECT_EQ(store_->set_aside().count, number - 1);
  EXPECT_THAT(listed(filter(100)), SizeIs(number)) << "a list shows no operations";
}

// --- Events of PSPs --------------------------------------------------------------------------------

TEST_P(StoreTest, KeepsEventsOfEachKindWhole) {
  const auto events = events_of_each_kind();
  add_events(events);
  reopen();
  const auto taken = take_events(start + seconds(60));
  ASSERT_THAT(taken, SizeIs(events.size()));
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto expected = events[i];
    ++expected.tries;
    expected.due_at = start + seconds(90);
    EXPECT_EQ(describe(taken[i]), describe(expected));
  }
}

TEST_P(StoreTest, AnEventThatIsThereIsLeftAsItIs) {
  auto twin = event_named("evt_1");
  twin.notice.type = "of the second";
  auto changed = event_named("evt_1", start - seconds(1));
  changed.notice.what = payment::Ignored();
  add_events({event_named("evt_1")});
  add_events({changed, event_named("evt_2", start + seconds(1)), event_named("evt_2", start + seconds(1)),
              event_named("evt_1", start + seconds(2), "another account"), twin});
  const auto taken = take_events(start + seconds(2));
  EXPECT_THAT(names_of(taken), ElementsAre("evt_1", "evt_2", "evt_1"));
  auto first = event_named("evt_1", start + seconds(32));
  first.tries = 1;
  EXPECT_EQ(describe(taken.at(0)), describe(first));
  EXPECT_EQ(taken.at(2).account, "another account");
  end_events({taken.at(0)});
  add_events({event_named("evt_1")});
  EXPECT_THAT(taken_names(start + seconds(2)), IsEmpty()) << "also one that was worked off";
}

TEST_P(StoreTest, NoEventsAreNoWrite) {
  add_events({});
  end_events({});
  EXPECT_THAT(owners_of({}), IsEmpty());
  EXPECT_THAT(take_events(start), IsEmpty());
}

TEST_P(StoreTest, EventsAreTakenLongestDueFirstAndAgainWhenNobodyEndedThem) {
  for (const int number : {3, 1, 4, 2}) {
    add_events({event_named(fmt::format("evt_{}", number), start + seconds(number))});
  }
  const auto first = take_events(start + seconds(3), 2);
  EXPECT_THAT(names_of(first), ElementsAre("evt_1", "evt_2"));
  EXPECT_EQ(first.at(0).due_at, start + seconds(33));
  EXPECT_EQ(first.at(0).tries, 1);
  EXPECT_THAT(taken_names(start + seconds(3)), ElementsAre("evt_3")) << "the fourth is not due";
  EXPECT_THAT(taken_names(start + seconds(3)), IsEmpty());
  EXPECT_THAT(taken_names(start + seconds(32)), ElementsAre("evt_4"));
  const auto again = take_events(start + seconds(33), 2);
  EXPECT_THAT(names_of(again), UnorderedElementsAre("evt_1", "evt_2"));
  EXPECT_EQ(again.at(0).tries, 2);
}

TEST_P(StoreTest, AnEventIsOverOrDueAgainAsTheWorkerSays) {
  add_events({event_named("evt_1"), event_named("evt_2", start + milliseconds(1)),
              event_named("evt_1", start + milliseconds(2), "another account")});
  auto taken = take_events(start + seconds(1));
  ASSERT_THAT(taken, SizeIs(3));
  taken[0].due_at.reset();
  taken[0].result = "the refund is 'taken back' \xc3\xa9";
  taken[1].due_at = start + seconds(5);
  taken[1].result = "the PSP could not be asked";
  // Only these two are changed by it.
  taken[0].notice.type = "another";
  taken[1].tries = 100;
  end_events({taken[0], taken[1]});
  reopen();
  const auto again = take_events(start + seconds(5));
  ASSERT_THAT(names_of(again), ElementsAre("evt_2"));
  EXPECT_EQ(again[0].tries, 2);
  EXPECT_EQ(again[0].result, "the PSP could not be asked");
  const auto later = take_events(start + seconds(31));
  ASSERT_THAT(later, SizeIs(1)) << "what is over is not taken";
  EXPECT_EQ(later[0].account, "another account");
  // Somebody has it looked at again.
  GetParam().execute(folder_, GetParam().name == "sqlite"
                                  ? "UPDATE psp_events SET due_at_ms = 0 WHERE due_at_ms IS NULL"
                                  : "UPDATE psp_events SET due_at = to_timestamp(0) WHERE due_at IS NULL");
  const auto over = take_events(start + seconds(1));
  ASSERT_THAT(names_of(over), ElementsAre("evt_1"));
  EXPECT_EQ(over[0].result, "the refund is 'taken back' \xc3\xa9");
  EXPECT_EQ(over[0].notice.type, "charge.refunded");
}

// As PSPs send them, with many callers that wait for each other's commit.
TEST_P(StoreTest, ManyStoreOneEventEachAtOnce) {
  constexpr int count = 2'000;
  std::vector<std::function<Task<Result<void>>()>> adds;
  for (int number = 0; number < count; ++number) {
    // Each of them twice.
    adds.emplace_back([this, number] {
      PspEvents one{event_named(fmt::format("evt_{}", number / 2), start + milliseconds(number / 2))};
      return store_->add_psp_events(std::move(one));
    });
  }
  for (const auto& added : run_at_once(adds)) ASSERT_TRUE(*added);
  const auto taken = take_events(start + seconds(60), count);
  ASSERT_THAT(taken, SizeIs(count / 2));
  for (int number = 0; number < count / 2; ++number) {
    EXPECT_EQ(taken[static_cast<std::size_t>(number)].notice.event, fmt::format("evt_{}", number));
  }
  std::vector<std::function<Task<Result<void>>()>> ends;
  for (auto event : taken) {
    event.due_at.reset();
    ends.emplace_back([this, event] { return store_->end_psp_events({event}); });
  }
  for (const auto& ended : run_at_once(ends)) ASSERT_TRUE(*ended);
  EXPECT_THAT(take_events(start + seconds(600)), IsEmpty());
}

TEST_P(StoreTest, TwoProcessesNeverTakeTheSameEvent) {
  constexpr std::size_t count = 400;
  PspEvents events;
  for (std::size_t i = 0; i < count; ++i) events.push_back(event_named(fmt::format("evt_{}", i)));
  add_events(events);
  const auto other = open_again();
  std::vector<std::vector<std::string>> taken(2);
  std::vector<std::future<void>> working;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto work = [&store = i == 0 ? *store_ : *other, &mine = taken[i]]() -> Task<void> {
      for (;;) {
        const auto batch = co_await store.take_psp_events(start, start + seconds(30), 3);
        EXPECT_TRUE(batch);
        if (!batch || batch->empty()) co_return;
        for (const auto& event : *batch) mine.push_back(event.notice.event);
      }
    };
    working.push_back(asio::co_spawn(threads_.executor(i), work, asio::use_future));
  }
  for (auto& worker : working) worker.get();
  // Who finds the rest locked may leave before the other one has taken all.
  std::set<std::string> all;
  for (const auto& mine : taken) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(taken[0].size() + taken[1].size(), count);
  EXPECT_EQ(all.size(), count);
}

TEST_P(StoreTest, AnEventThatCannotBeReadIsPutOffAndStopsNobody) {
  for (const auto* broken : {"what = 'foretold'", "kind = 'loan'", "currency = 'ZZZ'", "reason_kind = 'mood'",
                             "tries = -1", "what = 'succeeded', currency = ''"}) {
    GetParam().execute(folder_, "DELETE FROM psp_events");
    add_events({event_named("evt_1"), event_named("evt_2", start + milliseconds(1)),
                event_named("evt_3", start + milliseconds(2))});
    GetParam().execute(folder_, fmt::format("UPDATE psp_events SET {} WHERE event = 'evt_1'", broken));
    const auto now = start + seconds(1);
    EXPECT_THAT(taken_names(now, 1), ElementsAre("evt_2")) << broken << ": it does not count";
    EXPECT_THAT(taken_names(now, 1), ElementsAre("evt_3")) << broken;
    EXPECT_THAT(taken_names(now, 1), IsEmpty()) << broken;
    EXPECT_THAT(store_->set_aside().text(), HasSubstr("1 that cannot be read, such as event evt_1 of psp: "))
        << broken;
    GetParam().execute(folder_,
                       "UPDATE psp_events SET what = 'ignored', kind = '', currency = '', "
                       "reason_kind = '', tries = 7 WHERE event = 'evt_1'");
    EXPECT_THAT(take_events(now + set_aside_time - milliseconds(1), 3), SizeIs(2)) << broken;
    const auto repaired = take_events(now + set_aside_time, 3);
    ASSERT_THAT(names_of(repaired), ElementsAre("evt_1")) << broken;
    EXPECT_EQ(repaired[0].tries, 8) << broken;
  }
}

TEST_P(StoreTest, FindsThePaymentsThatAPspSpeaksOf) {
  const auto settle = [this](std::uint64_t number, MerchantId merchant, const char* psp_reference) {
    const payment::Succeeded answer{psp_reference, Money(100, usd)};
    ASSERT_TRUE(is<Done>(create(settled(transaction_number(number, merchant), answer))));
  };
  settle(1, alice, "pi_1");
  settle(2, becky, "pi_2");
  settle(3, alice, "sim_3");
  settle(4, alice, "Sim_4");
  settle(5, alice, "pi_5");
  change_operations(5, "kind = 'capture'");
  settle(6, alice, "simulated");
  create_numbers(7, 7);
  const payment::Pending pending{"pi_7", {}};
  ASSERT_TRUE(is<Done>(save(claim_one(start), pending, start + seconds(1)))) << "also one that is not over";
  create_numbers(8, 8);
  EXPECT_THAT(claim(start), SizeIs(1)) << "of which the PSP has said nothing yet";
  EXPECT_THAT(owners_of({{"psp", "pi_2"},
                         {"psp", "pi_9"},
                         {"psp", "pi_1"},
                         {"another", "pi_1"},
                         {"psp", "PI_1"},
                         {"psp", ""},
                         {"psp", "pi_1"},
                         {"psp", "\xff"},
                         {"psp", "pi_7"}}),
              ElementsAre("2 2", "nobody", "1 1", "nobody", "nobody", "nobody", "1 1", "nobody", "1 7"));
  EXPECT_THAT(owners_of({{"psp", "sim_3"}, {"psp", "Sim_4"}, {"psp", "pi_5"}, {"psp", "simulated"}}),
              ElementsAre("nobody", "1 4", "nobody", "1 6"));
}

// Each answer was lost, and the merchant's own key is what the PSP knows it by: no id of ours.
TEST_P(StoreTest, FindsAPaymentByOurKeyWhereThePspsNameForItWasNeverLearned) {
  create_numbers(1, 5);
  const auto claimed = claim(start);
  ASSERT_THAT(claimed, SizeIs(5));
  std::vector<PspPayment> asked;
  for (const auto& step : claimed) asked.push_back({"psp", "", step.operation().idempotency_key});
  EXPECT_THAT(owners_of(asked), ::testing::Each("nobody")) << "each is on its way";
  ASSERT_TRUE(is<Done>(save(claimed[0], payment::OutcomeUnknown{"lost"}, start + seconds(1))));
  ASSERT_TRUE(is<Done>(save(claimed[1], payment::Pending{"", {}}, start + seconds(1))));
  ASSERT_TRUE(is<Done>(save(claimed[2], payment::Declined{{"05", "", {}}, "", {}}, start + seconds(1))));
  ASSERT_TRUE(is<Done>(save(claimed[3], payment::Pending{"pi_4", {}}, start + seconds(1))));
  const payment::ActionRequired required{"pi_5", {}, "https://psp.example"};
  ASSERT_TRUE(is<Done>(save(claimed[4], required, start + seconds(1))));
  EXPECT_THAT(owners_of(asked), ElementsAre("1 1", "1 2", "1 3", "nobody", "1 5"))
      << "the fourth by its name only";
  auto others = asked;
  for (auto& one : others) one.account = "another";
  EXPECT_THAT(owners_of(others), ::testing::Each("nobody"));
  EXPECT_THAT(
      owners_of({{"psp", "pi_4", "no key"}, {"psp", "pi_9", asked[1].idempotency_key}, {"psp", "", ""}}),
      ElementsAre("1 4", "1 2", "nobody"));
  change_operations(1, "kind = 'capture'");
  EXPECT_THAT(owners_of({asked[0]}), ElementsAre("nobody"));
}

TEST_P(StoreTest, WordsOfAPspThatAreNoTextDoNotKeepAnEventFromBeingStored) {
  auto odd = event_named("evt_\xff");
  odd.notice.what = payment::Attention{"\xfe"};
  odd.result = "\xfd";
  add_events({odd});
  add_events({odd});
  auto taken = take_events(start);
  ASSERT_THAT(taken, SizeIs(1));
  taken[0].due_at.reset();
  end_events(taken);
  EXPECT_THAT(take_events(start + seconds(60)), IsEmpty());
}

// --- Backlog and health ------------------------------------------------------------------------

TEST_P(StoreTest, CountsWhatStillNeedsWork) {
  EXPECT_EQ(backlog(), 0);
  create_numbers(1, 5);
  create_numbers(6, 7, becky);
  EXPECT_EQ(backlog(), 7);
  EXPECT_EQ(backlog(7), 7);
  EXPECT_EQ(backlog(3), 3) << "it counts no further than it is asked to";
  const auto claimed = claim(start, 2);
  EXPECT_EQ(backlog(), 7) << "what a worker has is not done yet";
  ASSERT_TRUE(save(claimed[0], succeeded(), start));
  ASSERT_TRUE(save(claimed[1], payment::OutcomeUnknown{"time-out"}, start));
  EXPECT_EQ(backlog(), 6);
}

TEST_P(StoreTest, AnInstallationIsMadeWithTheStoreAndStaysWithIt) {
  const auto installation = store_->installation();
  EXPECT_THAT(installation, ::testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_THAT(installation, SizeIs(32));
  reopen();
  EXPECT_EQ(store_->installation(), installation);
}

TEST_P(StoreTest, ShowsThatItCanBeWritten) {
  EXPECT_TRUE(run([&] { return store_->check_writable(start); }));
  EXPECT_TRUE(run([&] { return store_->check_writable(start + seconds(1)); }));
}

TEST_P(StoreTest, ShowsThatATableIsNotThere) {
  for (const std::string table : {"users", "login_failures", "transactions", "operations", "idempotency_keys",
                                  "psp_events", "foreign_workers"}) {
    GetParam().execute(folder_, fmt::format("ALTER TABLE {} RENAME TO {}_gone", table, table));
    const auto checked = run([&] { return store_->check_writable(start); });
    ASSERT_FALSE(checked) << table;
    EXPECT_EQ(checked.error().code, ErrorCode::store_unavailable);
    EXPECT_THAT(checked.error().detail, HasSubstr(table));
    GetParam().execute(folder_, fmt::format("ALTER TABLE {}_gone RENAME TO {}", table, table));
    EXPECT_TRUE(run([&] { return store_->check_writable(start); })) << table;
  }
}

// -------------------------------------------------------------------------------------------------

// In the words of one of them.
std::string with_ids(std::string sql, std::string_view before) {
  constexpr std::string_view mark = ":id:";
  constexpr std::size_t digits = 32;
  for (auto at = sql.find(mark); at != std::string::npos; at = sql.find(mark)) {
    sql.replace(at, mark.size() + digits,
                fmt::format("{}'{}'", before, sql.substr(at + mark.size(), digits)));
  }
  return sql;
}

std::string schema_url(const TempDir& folder) {
  const auto path = std::filesystem::path(folder.file("")).parent_path();
  return testing::postgres_schema_url(path.filename().string());
}

const StoreFactory sqlite_factory{
    .name = "sqlite",
    .why_not = {},
    .open = [](const TempDir& folder) { return std::make_unique<SqliteStore>(folder.file("store.db")); },
    .execute =
        [](const TempDir& folder, const std::string& sql) {
          sqlite::Database(folder.file("store.db"), sqlite::Durability::process, sqlite::Access::existing)
              .execute(with_ids(sql, "x").c_str());
        }};

const StoreFactory postgres_factory{
    .name = "postgres",
    .why_not = testing::why_no_postgres,
    .open = [](const TempDir& folder) { return std::make_unique<PostgresStore>(schema_url(folder)); },
    .execute =
        [](const TempDir& folder, const std::string& sql) {
          testing::postgres_execute(schema_url(folder), with_ids(sql, ""));
        }};

INSTANTIATE_TEST_SUITE_P(Each, StoreTest, ::testing::Values(sqlite_factory, postgres_factory),
                         [](const auto& factory) { return factory.param.name; });

}  // namespace
}  // namespace switchyard::store
