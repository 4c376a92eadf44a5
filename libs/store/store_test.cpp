// What every store promises, whatever it is made of: the suite runs once for each factory at the end.
#include "store/store.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <ostream>
#include <set>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "postgres/testing.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

using payment::Action;
using payment::Attempt;
using payment::AttemptStatus;
using payment::CaptureMethod;
using payment::State;
using payment::Status;
using payment::Transaction;
using payment::Transition;
using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

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
          .reason = {},
          .created_at = start,
          .updated_at = start};
}

// All that is remembered of it, to compare and to print.
std::string describe(const Transaction& transaction) {
  return fmt::format(
      "{} merchant {} amount {} {} {} authorized {} captured {} refunded {} epoch {} attempts {} next {} "
      "reason '{}' created {} updated {}",
      transaction.id.value.to_string(), transaction.merchant_id.value, transaction.amount.to_string(),
      to_string(transaction.capture_method), to_string(transaction.status), transaction.authorized_minor,
      transaction.captured_minor, transaction.refunded_minor, transaction.epoch, transaction.attempt_count,
      transaction.next_action_at ? transaction.next_action_at->time_since_epoch().count() : -1,
      transaction.reason, transaction.created_at.time_since_epoch().count(),
      transaction.updated_at.time_since_epoch().count());
}
std::string describe(const Attempt& attempt) {
  return fmt::format(
      "#{} at {} key {} fingerprint {} {} look-ups {} reference '{}' reason '{}' from {} to {}",
      attempt.number, attempt.psp, attempt.idempotency_key, attempt.request_fingerprint,
      to_string(attempt.status), attempt.look_ups, attempt.psp_reference, attempt.reason,
      attempt.started_at.time_since_epoch().count(),
      attempt.ended_at ? attempt.ended_at->time_since_epoch().count() : -1);
}
std::string describe(const TransactionWithAttempts& found) {
  auto text = describe(found.transaction);
  for (const auto& attempt : found.attempts) text += "\n  " + describe(attempt);
  return text;
}
std::string describe(const User& user) {
  return fmt::format("{} {} {} {}", user.id.value, user.username, user.password_hash, user.enabled);
}

TransactionFilter filter(std::size_t limit, std::optional<Status> status = {},
                         std::optional<Currency> currency = {}, std::optional<TransactionId> before = {}) {
  return {.status = status, .currency = currency, .before = before, .limit = limit};
}

template <class Operation>
using ResultOf = typename std::invoke_result_t<Operation&>::value_type;

class StoreTest : public ::testing::TestWithParam<StoreFactory> {
 protected:
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

  Result<CreateResult> create(const Transaction& transaction, std::optional<IdempotencyKey> key = {}) {
    return run([&] { return store_->create_transaction({transaction, key}); });
  }
  void create_numbers(std::uint64_t first, std::uint64_t last, MerchantId merchant = alice) {
    for (auto number = first; number <= last; ++number)
      ASSERT_TRUE(create(transaction_number(number, merchant)));
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

  // --- Work ---

  std::vector<Transition> claim(Timestamp now, std::size_t limit = 100, Due due = Due::all) {
    auto claimed = run([&] { return store_->claim_due("psp", now, limit, policy, due); });
    EXPECT_TRUE(claimed);
    return std::move(*claimed);
  }
  static constexpr std::int64_t amount_max = 1'000;
  std::vector<ClaimedJob> take_jobs(const std::vector<Transaction>& jobs) {
    auto claimed = run([&] { return store_->claim_jobs("psp", jobs, start, policy, amount_max); });
    EXPECT_TRUE(claimed);
    return std::move(*claimed);
  }
  std::vector<Transition> claim_jobs(const std::vector<Transaction>& jobs) {
    std::vector<Transition> transitions;
    for (auto& [transition, refusal] : take_jobs(jobs)) {
      EXPECT_EQ(refusal, "");
      transitions.push_back(std::move(transition));
    }
    return transitions;
  }
  std::string refusal_of(const Transaction& job) {
    const auto taken = take_jobs({job});
    EXPECT_THAT(taken, SizeIs(1));
    EXPECT_EQ(taken.at(0).transition.action, Action::none);
    EXPECT_EQ(taken.at(0).transition.state.transaction.id, job.id);
    return taken.at(0).refusal;
  }
  void add_alice_and_becky() {
    ASSERT_TRUE(add_user({.id = alice, .username = "alice", .password_hash = "h"}));
    ASSERT_TRUE(add_user({.id = becky, .username = "becky", .password_hash = "h"}));
  }
  Transition claim_one(Timestamp now) {
    auto claimed = claim(now, 1);
    EXPECT_THAT(claimed, SizeIs(1));
    return std::move(claimed.at(0));
  }
  static std::vector<TransactionId> ids_of(const std::vector<Transition>& transitions) {
    std::vector<TransactionId> ids;
    for (const auto& transition : transitions) ids.push_back(transition.state.transaction.id);
    return ids;
  }
  Result<void> save(const State& state) {
    return run([&] { return store_->save_outcome(state); });
  }
  Result<void> save(const Transition& claimed, const payment::Event& event, Timestamp now) {
    return save(payment::apply(claimed.state, event, now, policy).state);
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
  Transaction transaction{.id = {Uuid::generate()},
                          .merchant_id = alice,
                          .amount = Money(1'000'000'000'000, jpy),
                          .capture_method = CaptureMethod::manual,
                          .next_action_at = start + milliseconds(1),
                          .reason = "a 'reason' \xc3\xa9",
                          .created_at = start + milliseconds(2),
                          .updated_at = start + milliseconds(3)};
  const auto created = create(transaction);
  ASSERT_TRUE(created);
  EXPECT_TRUE(std::holds_alternative<Created>(*created));
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
  std::vector<std::function<Task<Result<CreateResult>>()>> creates;
  for (std::uint64_t number = 1; number <= 500; ++number) {
    creates.push_back([this, number] {
      return store_->create_transaction(
          {transaction_number(number, {static_cast<std::int64_t>(number % 3)}), {}});
    });
  }
  for (const auto& created : run_at_once(creates)) EXPECT_TRUE(*created);
  EXPECT_EQ(backlog(), 500);
}

// --- Idempotency -------------------------------------------------------------------------------

IdempotencyKey key(std::string name, std::string fingerprint = "fingerprint", std::string reply = "{}") {
  return {std::move(name), std::move(fingerprint), std::move(reply)};
}

TEST_P(StoreTest, AnswersARepeatedRequestWithTheFirstReply) {
  ASSERT_TRUE(create(transaction_number(1), key("k", "f", R"({"id":1})")));
  for (int i = 0; i < 2; ++i) {
    const auto again = create(transaction_number(2), key("k", "f", R"({"id":2})"));
    ASSERT_TRUE(again);
    const auto* replayed = std::get_if<Replayed>(&*again);
    ASSERT_NE(replayed, nullptr);
    EXPECT_EQ(replayed->id, id_number(1));
    EXPECT_EQ(replayed->reply, R"({"id":1})");
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
  const auto first = create(transaction_number(3), key("k", "f"));
  EXPECT_TRUE(first && std::holds_alternative<Replayed>(*first)) << "the first use still counts";
}

TEST_P(StoreTest, KeepsTheKeysOfMerchantsApart) {
  ASSERT_TRUE(create(transaction_number(1, alice), key("k", "f", "alice's")));
  const auto beckys = create(transaction_number(2, becky), key("k", "g", "becky's"));
  ASSERT_TRUE(beckys);
  EXPECT_TRUE(std::holds_alternative<Created>(*beckys));
  EXPECT_EQ(std::get<Replayed>(*create(transaction_number(3, alice), key("k", "f"))).reply, "alice's");
  EXPECT_EQ(std::get<Replayed>(*create(transaction_number(4, becky), key("k", "g"))).reply, "becky's");
}

TEST_P(StoreTest, TellsKeysApartByteForByte) {
  const std::vector<std::string> keys{
      "k", "K", "k ", "\"k\"", "k'", std::string(255, 'k'), std::string(254, 'k')};
  for (std::uint64_t i = 0; i < keys.size(); ++i) {
    const auto created = create(transaction_number(i), key(keys[i], keys[i]));
    EXPECT_TRUE(created && std::holds_alternative<Created>(*created)) << keys[i];
  }
}

TEST_P(StoreTest, ATwinOfARequestUnderWayIsToldSo) {
  std::vector<std::function<Task<Result<CreateResult>>()>> twins;
  for (std::uint64_t number = 1; number <= 5; ++number) {
    twins.push_back(
        [this, number] { return store_->create_transaction({transaction_number(number), key("k")}); });
  }
  const auto results = run_at_once(twins);
  EXPECT_TRUE(*results[0] && std::holds_alternative<Created>(**results[0]));
  for (std::size_t i = 1; i < results.size(); ++i) {
    ASSERT_FALSE(*results[i]);
    EXPECT_EQ(results[i]->error().code, ErrorCode::idempotency_key_in_flight);
  }
  EXPECT_THAT(walked({}), ElementsAre(id_number(1)));
  const auto later = create(transaction_number(6), key("k"));
  EXPECT_TRUE(later && std::holds_alternative<Replayed>(*later)) << "the key is free again";
}

TEST_P(StoreTest, FindsTheReplyOfAKeyAndStoresNothing) {
  const auto find = [this](const std::string& name, const std::string& fingerprint,
                           MerchantId merchant = alice) {
    return run([&] { return store_->find_reply(merchant, name, fingerprint); });
  };
  const auto unused = find("k", "f");
  ASSERT_TRUE(unused);
  EXPECT_FALSE(*unused);
  ASSERT_TRUE(create(transaction_number(1), key("k", "f", R"({"id":1})")));
  const auto earlier = find("k", "f");
  ASSERT_TRUE(earlier && *earlier);
  EXPECT_EQ((*earlier)->id, id_number(1));
  EXPECT_EQ((*earlier)->reply, R"({"id":1})");
  EXPECT_EQ(find("k", "g").error().code, ErrorCode::idempotency_key_reused_with_different_body);
  EXPECT_FALSE(*find("k", "f", becky)) << "another merchant's key";
  EXPECT_FALSE(*find("l", "f"));
  EXPECT_THAT(walked({}), ElementsAre(id_number(1)));
}

TEST_P(StoreTest, TheReplyOfARequestUnderWayIsNotThereYet) {
  std::optional<Result<std::optional<Replayed>>> found_meanwhile;
  const std::vector<std::function<Task<Result<CreateResult>>()>> both{
      [this] { return store_->create_transaction({transaction_number(1), key("k", "f")}); },
      [this, &found_meanwhile]() -> Task<Result<CreateResult>> {
        found_meanwhile.emplace(co_await store_->find_reply(alice, "k", "f"));
        co_return Created{};
      }};
  run_at_once(both);
  ASSERT_FALSE(*found_meanwhile);
  EXPECT_EQ(found_meanwhile->error().code, ErrorCode::idempotency_key_in_flight);
}

TEST_P(StoreTest, TwinsAtTwoProcessesMakeOneTransaction) {
  const auto other = open_again();
  for (std::uint64_t round = 0; round < 20; ++round) {
    std::vector<std::function<Task<Result<CreateResult>>()>> twins;
    for (auto* store : {store_.get(), other.get()}) {
      const auto number = round * 2 + twins.size();
      twins.push_back([store, number, round] {
        return store->create_transaction({transaction_number(number), key(fmt::format("k{}", round))});
      });
    }
    const auto results = run_at_once(twins);
    const auto created = std::ranges::count_if(
        results, [](const auto& result) { return *result && std::holds_alternative<Created>(**result); });
    const auto replayed = std::ranges::count_if(
        results, [](const auto& result) { return *result && std::holds_alternative<Replayed>(**result); });
    EXPECT_EQ(created, 1);
    EXPECT_EQ(replayed, 1);
  }
  EXPECT_THAT(walked({}), SizeIs(20));
}

// --- Lists -------------------------------------------------------------------------------------

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

TEST_P(StoreTest, FiltersByStatusAndCurrency) {
  for (std::uint64_t number = 1; number <= 12; ++number) {
    auto transaction = transaction_number(number);
    if (number % 2 == 0) transaction.amount = Money(100, jpy);
    if (number % 3 == 0) {
      transaction.status = Status::declined;
      transaction.next_action_at.reset();
    }
    ASSERT_TRUE(create(transaction));
  }
  const auto numbers = [](std::vector<std::uint64_t> wanted) {
    std::vector<TransactionId> ids;
    for (const auto number : wanted) ids.push_back(id_number(number));
    return ids;
  };
  for (const std::size_t limit : {1U, 2U, 3U, 50U}) {
    EXPECT_EQ(walked(filter(limit, Status::declined)), numbers({12, 9, 6, 3}));
    EXPECT_EQ(walked(filter(limit, {}, jpy)), numbers({12, 10, 8, 6, 4, 2}));
    EXPECT_EQ(walked(filter(limit, Status::declined, jpy)), numbers({12, 6}));
    EXPECT_THAT(walked(filter(limit, Status::captured)), IsEmpty());
  }
}

TEST_P(StoreTest, FindsTheFewOldOnesThatAFilterLeavesOfVeryManyAThousandRowsAPage) {
  constexpr std::uint64_t count = 4'500;
  constexpr std::uint64_t at_once = 1'500;
  for (std::uint64_t first = 1; first <= count; first += at_once) {
    std::vector<std::function<Task<Result<CreateResult>>()>> creates;
    for (auto number = first; number < first + at_once; ++number) {
      creates.push_back([this, number] {
        auto transaction = transaction_number(number);
        if (number <= 3) transaction.amount = Money(100, jpy);
        return store_->create_transaction({transaction, {}});
      });
    }
    for (const auto& created : run_at_once(creates)) ASSERT_TRUE(*created);
  }
  EXPECT_THAT(walked(filter(50, {}, jpy)), ElementsAre(id_number(3), id_number(2), id_number(1)));
  const auto page = run([&] { return store_->list_transactions(alice, filter(50, {}, jpy)); });
  EXPECT_THAT(page->items, IsEmpty());
  EXPECT_EQ(page->next, id_number(count - 999)) << "the thousandth row";
}

// All are asked at once, and what is compared is the order in which they are answered.
TEST_P(StoreTest, ListsOfOneMerchantHoldUpNeitherAnothersNorALogin) {
  constexpr std::size_t lists = 200;
  add_alice_and_becky();
  std::vector<std::function<Task<Result<CreateResult>>()>> creates;
  for (std::uint64_t number = 1; number <= 1'000; ++number) {
    creates.push_back(
        [this, number] { return store_->create_transaction({transaction_number(number), {}}); });
  }
  for (const auto& created : run_at_once(creates)) ASSERT_TRUE(*created);

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
  EXPECT_EQ(claimed.action, Action::authorize);
  EXPECT_EQ(claimed.state.transaction.epoch, 1);
  EXPECT_EQ(claimed.state.transaction.status, Status::processing);
  ASSERT_TRUE(claimed.state.attempt);
  EXPECT_EQ(claimed.state.attempt->psp, "psp");
  reopen();
  EXPECT_EQ(found(id_number(1)),
            describe(TransactionWithAttempts{claimed.state.transaction, {*claimed.state.attempt}}))
      << "what the claim gave is what is on disk";
}

TEST_P(StoreTest, ClaimsNothingBeforeItIsDue) {
  auto transaction = transaction_number(1);
  transaction.next_action_at = start + milliseconds(100);
  ASSERT_TRUE(create(transaction));
  transaction = transaction_number(2);
  transaction.status = Status::declined;
  transaction.next_action_at.reset();
  ASSERT_TRUE(create(transaction));
  EXPECT_THAT(claim(start + milliseconds(99)), IsEmpty());
  EXPECT_EQ(ids_of(claim(start + milliseconds(100))), std::vector{id_number(1)});
  EXPECT_EQ(found(id_number(2)), describe(transaction));
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
  EXPECT_EQ(second.state.transaction.epoch, 2);
  EXPECT_EQ(second.state.transaction.status, Status::unknown);
  EXPECT_EQ(second.state.attempt->idempotency_key, first.state.attempt->idempotency_key);
  EXPECT_EQ(second.state.attempt->number, 1);
}

TEST_P(StoreTest, TwoProcessesNeverClaimTheSameTransaction) {
  constexpr std::uint64_t count = 400;
  std::vector<std::function<Task<Result<CreateResult>>()>> creates;
  for (std::uint64_t number = 1; number <= count; ++number) {
    creates.push_back(
        [this, number] { return store_->create_transaction({transaction_number(number), {}}); });
  }
  for (const auto& created : run_at_once(creates)) ASSERT_TRUE(*created);

  const auto other = open_again();
  std::vector<std::vector<TransactionId>> claimed(2);
  std::vector<std::future<void>> working;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto work = [&store = i == 0 ? *store_ : *other, &mine = claimed[i]]() -> Task<void> {
      for (;;) {
        const auto batch = co_await store.claim_due("psp", start, 3, policy, Due::all);
        EXPECT_TRUE(batch);
        if (!batch || batch->empty()) co_return;
        for (const auto& transition : *batch) mine.push_back(transition.state.transaction.id);
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

// --- Outcomes ----------------------------------------------------------------------------------

TEST_P(StoreTest, SavesWhatAnAttemptCameTo) {
  create_numbers(1, 1);
  const auto claimed = claim_one(start);
  const auto captured =
      payment::apply(claimed.state, payment::Approved{"psp-ref"}, start + seconds(1), policy);
  ASSERT_TRUE(save(captured.state));
  reopen();
  EXPECT_EQ(found(id_number(1)),
            describe(TransactionWithAttempts{captured.state.transaction, {*captured.state.attempt}}));
  EXPECT_THAT(claim(start + std::chrono::hours(1000)), IsEmpty()) << "nothing is left to do";
}

TEST_P(StoreTest, KeepsEachAttempt) {
  create_numbers(1, 1);
  auto now = start;
  const auto first =
      payment::apply(claim_one(now).state, payment::NotSent{"connection refused"}, now, policy);
  ASSERT_TRUE(save(first.state));
  now = *first.state.transaction.next_action_at;
  const auto second =
      payment::apply(claim_one(now).state, payment::Declined{"51", payment::DeclineKind::hard, "psp-ref"},
                     now + seconds(1), policy);
  ASSERT_TRUE(save(second.state));
  EXPECT_EQ(found(id_number(1)),
            describe(TransactionWithAttempts{second.state.transaction,
                                             {*first.state.attempt, *second.state.attempt}}));
  EXPECT_EQ(second.state.transaction.status, Status::declined);
}

TEST_P(StoreTest, CountsTheLookUpsOfAnAttempt) {
  create_numbers(1, 1);
  auto now = start;
  for (int look_ups = 1; look_ups <= 3; ++look_ups) {
    const auto claimed = claim_one(now);
    const auto unknown = payment::apply(claimed.state, payment::OutcomeUnknown{"time-out"}, now, policy);
    ASSERT_TRUE(save(unknown.state));
    now = *unknown.state.transaction.next_action_at;
    const auto result = run([&] { return store_->find_transaction(alice, id_number(1)); });
    ASSERT_THAT(result->attempts, SizeIs(1));
    EXPECT_EQ(result->attempts[0].look_ups, look_ups);
    EXPECT_EQ(result->attempts[0].status, AttemptStatus::unknown);
  }
}

TEST_P(StoreTest, AnOutcomeThatComesAfterTheNextClaimChangesNothing) {
  for (const payment::Event& late : std::vector<payment::Event>{
           payment::Approved{"late"}, payment::Declined{"51", payment::DeclineKind::hard, "psp-ref"},
           payment::NotSent{"refused"}, payment::OutcomeUnknown{"time-out"}}) {
    const auto id = TransactionId{Uuid::generate()};
    auto transaction = transaction_number(1);
    transaction.id = id;
    ASSERT_TRUE(create(transaction));
    const auto stalled = claim_one(start);
    const auto current = claim_one(start + policy.lease);
    const auto before = found(id);

    const auto refused = save(stalled, late, start + policy.lease + seconds(1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::stale_epoch);
    EXPECT_EQ(found(id), before);

    EXPECT_TRUE(save(current, payment::Approved{"in time"}, start + policy.lease + seconds(2)));
    const auto after = found(id);
    EXPECT_FALSE(save(stalled, late, start + policy.lease + seconds(3)));
    EXPECT_EQ(found(id), after) << "nor when the transaction is settled";
  }
}

TEST_P(StoreTest, AnOutcomeOfATransactionThatIsNotThereChangesNothing) {
  create_numbers(1, 1);
  auto claimed = claim_one(start);
  claimed.state.transaction.id = id_number(2);
  const auto refused = save(claimed, payment::Approved{"ref"}, start);
  EXPECT_EQ(refused.error().code, ErrorCode::stale_epoch);
  EXPECT_EQ(found(id_number(2)), "not_found");
}

// --- A queue outside the store -----------------------------------------------------------------

TEST_P(StoreTest, LeavesWhatIsQueuedToAnOutsideQueue) {
  create_numbers(1, 2);
  ASSERT_TRUE(save(claim_one(start), payment::NotSent{"refused"}, start));
  EXPECT_THAT(ids_of(claim(start + seconds(10), 100, Due::started)), ElementsAre(id_number(1)));
  EXPECT_THAT(ids_of(claim(start + seconds(10))), ElementsAre(id_number(2)));
}

TEST_P(StoreTest, ClaimsTheTransactionsOfJobsDueOrNot) {
  add_alice_and_becky();
  auto later = transaction_number(1);
  later.next_action_at = start + seconds(30);
  ASSERT_TRUE(create(later));
  const auto stored = transaction_number(1);
  const auto unheard_of = transaction_number(2, becky);
  const auto claimed = claim_jobs({unheard_of, stored});
  ASSERT_THAT(claimed, SizeIs(2));
  EXPECT_THAT(ids_of(claimed), UnorderedElementsAre(id_number(1), id_number(2)));
  for (const auto& transition : claimed) {
    EXPECT_EQ(transition.action, Action::authorize);
    EXPECT_EQ(transition.state.transaction.epoch, 1);
    const auto& transaction = transition.state.transaction;
    EXPECT_EQ(found(transaction.id, transaction.merchant_id),
              describe(TransactionWithAttempts{transaction, {*transition.state.attempt}}));
  }
}

TEST_P(StoreTest, AJobWithTheIdOfAnotherMerchantsTransactionIsRefused) {
  add_alice_and_becky();
  create_numbers(1, 1, alice);
  const auto before = found(id_number(1));
  EXPECT_THAT(refusal_of(transaction_number(1, becky)), HasSubstr("another merchant"));
  EXPECT_EQ(found(id_number(1), becky), "not_found");
  EXPECT_EQ(found(id_number(1)), before);
  EXPECT_EQ(claim_jobs({transaction_number(1, alice)}).at(0).action, Action::authorize);
}

TEST_P(StoreTest, AJobOfAUserWhoMayNotIsRefusedAndItsNeighboursAreNot) {
  add_alice_and_becky();
  ASSERT_TRUE(run([&] { return store_->set_user_enabled("becky", false); }));
  auto large = transaction_number(3);
  large.amount = Money(amount_max + 1, usd);
  auto largest = transaction_number(4);
  largest.amount = Money(amount_max, usd);
  const auto taken = take_jobs({transaction_number(1, becky), transaction_number(2, {99}), large, largest});
  std::map<TransactionId, std::string> refusals;
  for (const auto& job : taken) refusals[job.transition.state.transaction.id] = job.refusal;
  ASSERT_THAT(refusals, SizeIs(4));
  EXPECT_THAT(refusals[id_number(1)], HasSubstr("disabled"));
  EXPECT_THAT(refusals[id_number(2)], HasSubstr("names no user"));
  EXPECT_THAT(refusals[id_number(3)], HasSubstr("above the limit of 1000"));
  EXPECT_EQ(refusals[id_number(4)], "");
  EXPECT_THAT(walked(filter(10)), ElementsAre(id_number(4)));
  EXPECT_THAT(walked(filter(10), becky), IsEmpty());
}

TEST_P(StoreTest, AJobOfAStoredTransactionIsTakenWhateverTheRulesAreToday) {
  auto large = transaction_number(1);
  large.amount = Money(amount_max + 1, usd);
  ASSERT_TRUE(create(large));
  EXPECT_EQ(claim_jobs({large}).at(0).action, Action::authorize) << "its user is not even known";
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
  ASSERT_TRUE(save(claim_one(start), payment::Contradicted{"another amount", "ref"}, start));
  EXPECT_EQ(measured().oldest_due, start + seconds(30));
  EXPECT_EQ(measured().in_review, 1);
}

TEST_P(StoreTest, AJobThatIsDoubledOrLateClaimsNothing) {
  add_alice_and_becky();
  const auto job = transaction_number(1);
  const auto twice = claim_jobs({job, job});
  ASSERT_THAT(twice, SizeIs(2));
  EXPECT_EQ(twice[0].action, Action::authorize);
  EXPECT_EQ(twice[1].action, Action::none);
  EXPECT_EQ(twice[1].state.transaction.status, Status::processing);

  ASSERT_TRUE(save(twice[0], payment::Approved{"ref"}, start));
  const auto settled = found(id_number(1));
  const auto late = claim_jobs({job});
  EXPECT_EQ(late.at(0).action, Action::none);
  EXPECT_EQ(late.at(0).state.transaction.status, Status::captured);
  EXPECT_EQ(found(id_number(1)), settled);
}

TEST_P(StoreTest, TwinsOfAJobInTwoProcessesClaimItOnce) {
  add_alice_and_becky();
  const auto other = open_again();
  for (std::uint64_t round = 0; round < 20; ++round) {
    std::vector<std::function<Task<Result<std::vector<ClaimedJob>>>()>> twins;
    for (auto* store : {store_.get(), other.get()}) {
      twins.push_back([store, round] {
        return store->claim_jobs("psp", {transaction_number(2 * round), transaction_number(2 * round + 1)},
                                 start, policy, amount_max);
      });
    }
    int claimed = 0;
    for (const auto& transitions : run_at_once(twins)) {
      ASSERT_TRUE(*transitions);
      ASSERT_THAT(**transitions, SizeIs(2));
      for (const auto& job : **transitions) claimed += job.transition.action == Action::authorize ? 1 : 0;
    }
    EXPECT_EQ(claimed, 2);
  }
  EXPECT_THAT(walked({}), SizeIs(40));
}

TEST_P(StoreTest, LeasesWhatIsQueuedToTheQueueThatShouldHoldIt) {
  create_numbers(1, 3);
  claim_one(start);
  const auto lease = [this](Timestamp due_by, Timestamp until, std::size_t limit) {
    const auto leased = run([&] { return store_->lease_queued(due_by, until, limit); });
    EXPECT_TRUE(leased);
    std::vector<TransactionId> ids;
    for (const auto& transaction : *leased) ids.push_back(transaction.id);
    return ids;
  };
  EXPECT_THAT(lease(start - milliseconds(1), start + seconds(30), 100), IsEmpty());
  EXPECT_THAT(lease(start, start + seconds(30), 1), SizeIs(1));
  EXPECT_THAT(lease(start, start + seconds(30), 100), SizeIs(1)) << "not the one that was leased before";
  EXPECT_THAT(lease(start + policy.lease + seconds(1), start + seconds(90), 100), IsEmpty())
      << "what has been started is not queued any more";
  EXPECT_THAT(lease(start + seconds(30), start + seconds(60), 100), SizeIs(2));
  EXPECT_EQ(backlog(), 3);
}

TEST_P(StoreTest, SettlesWhatAForeignWorkerDid) {
  create_numbers(1, 2);
  const auto settle = [this](std::uint64_t number, const payment::Event& outcome) {
    return run([&] { return store_->settle_foreign(alice, id_number(number), "rq-worker", outcome, start); });
  };
  EXPECT_EQ(settle(1, payment::Approved{}), true);
  auto expected =
      payment::settle({transaction_number(1), std::nullopt}, "rq-worker", payment::Approved{}, start);
  EXPECT_EQ(found(id_number(1)),
            describe(TransactionWithAttempts{expected.transaction, {*expected.attempt}}));
  EXPECT_EQ(settle(1, payment::ReportedFailed{"late"}), false);
  EXPECT_EQ(settle(3, payment::Approved{}), false);

  const auto claimed = claim_one(start);
  EXPECT_EQ(settle(2, payment::Approved{}), false) << "one of ours has it";
  EXPECT_TRUE(save(claimed, payment::Declined{"51", payment::DeclineKind::hard, "ref"}, start));
}

TEST_P(StoreTest, SettlesAgainWhatAForeignWorkerFailedAndThenFinished) {
  create_numbers(1, 1);
  const auto settle = [this](const payment::Event& outcome, Timestamp now) {
    return run([&] { return store_->settle_foreign(alice, id_number(1), "rq-worker", outcome, now); });
  };
  const payment::Event failure = payment::ReportedFailed{"ValueError: no"};
  EXPECT_EQ(settle(failure, start), true);
  EXPECT_EQ(settle(failure, start), false);
  EXPECT_EQ(settle(payment::Approved{}, start + seconds(1)), true);
  const auto failed = payment::settle({transaction_number(1), std::nullopt}, "rq-worker", failure, start);
  const auto captured = payment::settle(failed, "rq-worker", payment::Approved{}, start + seconds(1));
  EXPECT_EQ(found(id_number(1)),
            describe(TransactionWithAttempts{captured.transaction, {*failed.attempt, *captured.attempt}}));
  EXPECT_EQ(settle(payment::Approved{}, start + seconds(2)), false);
  EXPECT_EQ(backlog(), 0);
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
  EXPECT_THAT(run([&] { return store_->lease_queued(start, start + seconds(30), 100); })->size(), 1U);
  // The lease and look-ups of the wrong clock, too.
  auto claimed_ahead = payment::apply(claimed[0].state, payment::OutcomeUnknown{"time-out"}, ahead, policy);
  ASSERT_TRUE(save(claimed_ahead.state));
  EXPECT_EQ(ids_of(claim(start, 100, Due::started)), ids_of(claimed));
}

TEST_P(StoreTest, WhatAScheduleGivesIsNotTakenForAWrongClock) {
  auto patient = transaction_number(1);
  patient.next_action_at = start + payment::longest_delay(policy);
  ASSERT_TRUE(create(patient));
  EXPECT_THAT(claim(start), IsEmpty());
  EXPECT_THAT(*run([&] { return store_->lease_queued(start, *patient.next_action_at, 100); }), IsEmpty());
}

// --- Rows that cannot be read -------------------------------------------------------------------

TEST_P(StoreTest, AWithdrawnCurrencyIsWorkedOffAndShown) {
  create_numbers(1, 2);
  change(1, "currency = 'BGN'");
  const auto claimed = claim(start);
  EXPECT_THAT(ids_of(claimed), UnorderedElementsAre(id_number(1), id_number(2)));
  EXPECT_THAT(listed(filter(10)), ElementsAre(id_number(2), id_number(1)));
  EXPECT_NE(found(id_number(1)).find("1.00 BGN"), std::string::npos);
  EXPECT_EQ(store_->set_aside().count, 0U);
}

// What a newer version, a person or a bad disk may leave.
const auto unreadable = {"status = 'authorizing'", "currency = 'ZZZ'", "capture_method = 'later'",
                         "attempt_count = 7",      "epoch = 3",        "status = 'captured'"};

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
  const auto leased = run([&] { return store_->lease_queued(start, start + seconds(30), 100); });
  ASSERT_TRUE(leased);
  EXPECT_THAT(*leased, SizeIs(1));
  const auto taken = claim_jobs({transaction_number(1), transaction_number(2), transaction_number(3)});
  ASSERT_THAT(taken, SizeIs(3));
  for (const auto& transition : taken) {
    const bool readable = transition.state.transaction.id == id_number(3);
    EXPECT_EQ(transition.action, readable ? Action::authorize : Action::none);
  }
  const auto settled =
      run([&] { return store_->settle_foreign(alice, id_number(1), "rq", payment::Approved{}, start); });
  EXPECT_EQ(settled.error().code, ErrorCode::set_aside);
}

TEST_P(StoreTest, WhatCannotBeReadMakesNoPageShort) {
  create_numbers(1, 12);
  for (const std::uint64_t number : {1, 2, 5, 6, 7, 11}) change(number, "currency = 'ZZZ'");
  const auto leased = run([&] { return store_->lease_queued(start, start + seconds(30), 3); });
  EXPECT_THAT(*leased, SizeIs(3)) << "a short page says that there are no more";
  EXPECT_THAT(*run([&] { return store_->lease_queued(start, start + seconds(30), 100); }), SizeIs(3));
  EXPECT_THAT(claim(start + seconds(30), 5), SizeIs(5)) << "nor a claim";
}

TEST_P(StoreTest, WhatCannotBeReadIsCountedLikeAllOthers) {
  create_numbers(1, 2);
  ASSERT_TRUE(create(transaction_number(3), key("k", "f", R"({"id":3})")));
  change(1, "status = 'authorizing'");
  change(3, "currency = 'ZZZ'");
  EXPECT_EQ(backlog(), 3);
  EXPECT_EQ(run([&] { return store_->measure_workload(); })->oldest_due, start);
  const auto largest = run([&] { return store_->largest_backlogs(100, 10); });
  ASSERT_THAT(*largest, SizeIs(1));
  EXPECT_EQ(largest->at(0).count, 3);
  const auto reply = run([&] { return store_->find_reply(alice, "k", "f"); });
  ASSERT_TRUE(reply && *reply) << "its key is answered as it was";
  EXPECT_EQ((*reply)->reply, R"({"id":3})");
  EXPECT_TRUE(run([&] { return store_->check_writable(start); }));
}

TEST_P(StoreTest, AJobInAWithdrawnCurrencyIsTakenIfItWasAcceptedOnce) {
  add_alice_and_becky();
  auto accepted = transaction_number(1);
  accepted.amount = Money(100, *Currency::parse_stored("BGN"));
  ASSERT_TRUE(create(accepted));
  EXPECT_EQ(claim_jobs({accepted}).at(0).action, Action::authorize);
  auto unheard_of = transaction_number(2);
  unheard_of.amount = accepted.amount;
  EXPECT_THAT(refusal_of(unheard_of), HasSubstr("BGN was withdrawn"));
  EXPECT_EQ(found(id_number(2)), "not_found");
}

TEST_P(StoreTest, AnAttemptThatCannotBeReadSetsItsTransactionAside) {
  create_numbers(1, 3);
  ASSERT_THAT(claim(start), SizeIs(3));
  GetParam().execute(
      folder_, fmt::format("UPDATE attempts SET status = 'resting' WHERE transaction_id = {}", literal(1)));
  GetParam().execute(folder_, fmt::format("DELETE FROM attempts WHERE transaction_id = {}", literal(2)));
  EXPECT_EQ(ids_of(claim(start + seconds(60))), std::vector{id_number(3)});
  EXPECT_EQ(found(id_number(1)), "set_aside");
  EXPECT_EQ(store_->set_aside().count, 2U);
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
  ASSERT_TRUE(save(claimed[0], payment::Approved{"ref"}, start));
  ASSERT_TRUE(save(claimed[1], payment::OutcomeUnknown{"time-out"}, start));
  EXPECT_EQ(backlog(), 6);
}

TEST_P(StoreTest, ShowsThatItCanBeWritten) {
  EXPECT_TRUE(run([&] { return store_->check_writable(start); }));
  EXPECT_TRUE(run([&] { return store_->check_writable(start + seconds(1)); }));
}

TEST_P(StoreTest, ShowsThatATableIsNotThere) {
  for (const std::string table :
       {"users", "login_failures", "transactions", "attempts", "idempotency_keys", "foreign_workers"}) {
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
