#include "postgres/connection.hpp"

#include <array>
#include <random>

#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>

#include "base/task_group.hpp"
#include "base/testing.hpp"
#include "postgres/pool.hpp"
#include "postgres/testing.hpp"

namespace switchyard::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Deadline in(milliseconds time) {
  return steady_clock::now() + time;
}

class ConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = testing::why_no_postgres(); !reason.empty()) GTEST_SKIP() << reason;
    schema_ = std::filesystem::path(folder_.file("")).parent_path().filename().string();
    url_ = testing::postgres_schema_url(schema_);
  }

  Task<std::unique_ptr<Connection>> connect() {
    auto connection = co_await Connection::connect(thread_.executor(0), url_, in(seconds(30)));
    if (!connection) throw std::runtime_error(connection.error().message);
    co_return std::move(*connection);
  }
  template <class... Sql>
  static Task<Outcome<std::vector<Rows>>> run(Connection& connection, Sql... sql) {
    std::vector<Statement> statements{Statement(sql)...};
    return connection.run(std::move(statements), in(seconds(30)));
  }
  template <class Test>
  void on_thread(Test test) {
    thread_.run(0, std::move(test));
  }

  switchyard::testing::TempDir folder_;
  std::string schema_;
  std::string url_;
  IoThreads thread_{1};
};

TEST_F(ConnectionTest, CarriesEveryTypeBothWays) {
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const auto id = Uuid::generate();
    const Timestamp now{milliseconds(1'700'000'000'123)};
    std::vector<Statement> statements;
    statements
        .emplace_back(
            "SELECT $1::bigint, $2::text, $3::boolean, $4::timestamptz, $5::uuid, $6::bytea, $7::bigint")
        .bind(std::int64_t{INT64_MIN})
        .bind(std::string_view("\xc3\xa9'\""))
        .bind(true)
        .bind(now)
        .bind(id)
        .bind(std::string_view("\0\xff", 2))
        .bind_null();
    Column numbers(Type::bigint);
    numbers.add(std::int64_t{-1});
    numbers.add_null();
    Column times(Type::timestamptz);
    times.add(std::optional<Timestamp>());
    times.add(now);
    statements.emplace_back("SELECT * FROM unnest($1::bigint[], $2::timestamptz[])")
        .bind(numbers)
        .bind(times);
    const auto sets = co_await connection->run(std::move(statements), in(seconds(30)));
    EXPECT_TRUE(sets);
    const auto& one = sets->at(0);
    EXPECT_EQ(one[0].integer(0), INT64_MIN);
    EXPECT_EQ(one[0].text(1), "\xc3\xa9'\"");
    EXPECT_TRUE(one[0].boolean(2));
    EXPECT_EQ(one[0].time(3), now);
    EXPECT_EQ(one[0].uuid(4), id);
    EXPECT_EQ(one[0].text(5), std::string_view("\0\xff", 2));
    EXPECT_TRUE(one[0].is_null(6));
    const auto& many = sets->at(1);
    EXPECT_EQ(many.size(), 2);
    EXPECT_EQ(many[0].integer(0), -1);
    EXPECT_TRUE(many[0].is_null(1));
    EXPECT_TRUE(many[1].is_null(0));
    EXPECT_EQ(many[1].time(1), now);
  });
}

TEST_F(ConnectionTest, RunsAllStatementsOrNone) {
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const auto made = co_await run(*connection, "CREATE TABLE t (id bigint PRIMARY KEY)");
    EXPECT_TRUE(made);
    const auto refused = co_await run(*connection, "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)",
                                      "INSERT INTO t VALUES (2)");
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Failure::Kind::refused);
    EXPECT_EQ(refused.error().sqlstate, "23505");
    EXPECT_THAT(refused.error().message, HasSubstr("t_pkey"));
    EXPECT_TRUE(connection->is_usable()) << "a refusal is no reason to connect again";
    const auto counted = co_await run(*connection, "SELECT count(*) FROM t");
    EXPECT_EQ(counted->at(0)[0].integer(0), 0);
    const auto again = co_await run(*connection, "INSERT INTO t VALUES (1)", "SELECT count(*) FROM t");
    EXPECT_EQ(again->at(0).changed(), 1) << "statements that were prepared in a run that failed can be used";
    EXPECT_EQ(again->at(1)[0].integer(0), 1);
  });
}

TEST_F(ConnectionTest, SyncsEveryCommitWhateverTheServersDefault) {
  url_ += "%20-csynchronous_commit%3Doff";
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const auto set = co_await run(*connection, "SELECT current_setting('synchronous_commit')");
    EXPECT_EQ(set->at(0)[0].text(0), "on");
  });
}

TEST_F(ConnectionTest, GivesUpAtTheDeadlineAndClaimsNothing) {
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    std::vector<Statement> slow{Statement("SELECT pg_sleep(60)")};
    const auto late = co_await connection->run(std::move(slow), in(milliseconds(50)));
    EXPECT_FALSE(late);
    EXPECT_EQ(late.error().kind, Failure::Kind::unknown);
    EXPECT_FALSE(connection->is_usable());
  });
}

TEST_F(ConnectionTest, ALostConnectionLeavesTheOutcomeOpen) {
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const auto killer = co_await connect();
    const auto pid = co_await run(*connection, "SELECT pg_backend_pid()::bigint");
    std::vector<Statement> statements;
    statements.emplace_back("SELECT pg_terminate_backend($1::bigint::int)").bind(pid->at(0)[0].integer(0));
    const auto killed = co_await killer->run(std::move(statements), in(seconds(30)));
    EXPECT_TRUE(killed);
    const auto lost = co_await run(*connection, "SELECT 1::bigint");
    EXPECT_FALSE(lost);
    EXPECT_FALSE(connection->is_usable());
  });
}

TEST_F(ConnectionTest, ACommitThatTheServerRollsBackIsARefusal) {
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const auto failed = co_await run(*connection, "BEGIN", "SELECT 1::bigint / 0");
    EXPECT_EQ(failed.error().sqlstate, "22012");
    const auto committed = co_await run(*connection, "COMMIT");
    EXPECT_FALSE(committed);
    EXPECT_EQ(committed.error().kind, Failure::Kind::refused);
    EXPECT_THAT(committed.error().message, HasSubstr("rollback"));
  });
}

TEST_F(ConnectionTest, ADeferredConstraintRefusesTheCommitAndNothingIsDone) {
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const auto made =
        co_await run(*connection, "CREATE TABLE t (id bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    EXPECT_TRUE(made);
    const auto implicit = co_await run(*connection, "INSERT INTO t VALUES (1), (1)");
    EXPECT_FALSE(implicit);
    EXPECT_EQ(implicit.error().kind, Failure::Kind::refused);
    const auto fresh = co_await connect();
    const auto spelled_out = co_await run(*fresh, "BEGIN", "INSERT INTO t VALUES (1), (1)", "COMMIT");
    EXPECT_FALSE(spelled_out);
    EXPECT_EQ(spelled_out.error().kind, Failure::Kind::refused);
    EXPECT_EQ(spelled_out.error().sqlstate, "23505");
  });
}

TEST_F(ConnectionTest, ASessionWhosePlansAreOutOfDateIsNotUsedAgain) {
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const auto other = co_await connect();
    const auto made = co_await run(*connection, "CREATE TABLE t (id bigint)");
    EXPECT_TRUE(made);
    // A statement is known by its address.
    const char* const select = "SELECT id FROM t";
    const auto before = co_await run(*connection, select);
    EXPECT_TRUE(before);
    const auto altered = co_await run(*other, "ALTER TABLE t ALTER COLUMN id TYPE numeric");
    EXPECT_TRUE(altered);
    const auto after = co_await run(*connection, select);
    EXPECT_FALSE(after);
    EXPECT_TRUE(is_of_the_session(after.error().sqlstate)) << after.error().sqlstate;
    EXPECT_FALSE(connection->is_usable());
  });
}

TEST_F(ConnectionTest, WhatTheServerHasForgottenToBePreparedIsOfTheSession) {
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const char* const select = "SELECT 1::bigint";
    const auto before = co_await run(*connection, select);
    EXPECT_TRUE(before);
    const auto discarded = co_await run(*connection, "DEALLOCATE ALL");
    EXPECT_TRUE(discarded);
    const auto after = co_await run(*connection, select);
    EXPECT_EQ(after.error().sqlstate, "26000");
    EXPECT_FALSE(connection->is_usable());
  });
}

TEST_F(ConnectionTest, SpeaksUtf8WhateverTheRoleAndTheUrlSay) {
  url_ += "%20-cclient_encoding%3DLATIN1%20-cidle_session_timeout%3D1000";
  on_thread([this]() -> Task<void> {
    const auto connection = co_await connect();
    const auto set = co_await run(*connection, "SELECT current_setting('client_encoding')",
                                  "SELECT current_setting('idle_session_timeout')");
    EXPECT_EQ(set->at(0)[0].text(0), "UTF8");
    EXPECT_EQ(set->at(1)[0].text(0), "0");
  });
}

TEST_F(ConnectionTest, AServerThatIsNotThereIsUnreachable) {
  asio::io_context context;
  // Bound and never listening.
  asio::ip::tcp::acceptor taken(context, asio::ip::tcp::v4());
  taken.bind({asio::ip::make_address("127.0.0.1"), 0});
  url_ = fmt::format("postgresql://alice:hunter2@127.0.0.1:{}/db", taken.local_endpoint().port());
  on_thread([this]() -> Task<void> {
    const auto refused = co_await Connection::connect(thread_.executor(0), url_, in(seconds(30)));
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Failure::Kind::unreachable);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("refused"), Not(HasSubstr("hunter2"))));
  });
}

TEST_F(ConnectionTest, AServerThatDoesNotAnswerIsGivenUpAtTheDeadline) {
  asio::io_context context;
  asio::ip::tcp::acceptor silent(context, {asio::ip::make_address("127.0.0.1"), 0});
  url_ = fmt::format("postgresql://127.0.0.1:{}/db", silent.local_endpoint().port());
  on_thread([this]() -> Task<void> {
    const auto late = co_await Connection::connect(thread_.executor(0), url_, in(milliseconds(100)));
    EXPECT_FALSE(late);
    EXPECT_EQ(late.error().kind, Failure::Kind::unreachable);
  });
}

TEST_F(ConnectionTest, WrongUrlsAreToldWithoutThePassword) {
  const std::vector<std::string> wrong{"postgresql://alice:hunter2@127.0.0.1:port/db",
                                       "postgresql://alice:hunter2@127.0.0.1/db?no_such_option=1"};
  for (const auto& url : wrong) {
    on_thread([this, url]() -> Task<void> {
      const auto refused = co_await Connection::connect(thread_.executor(0), url, in(seconds(30)));
      EXPECT_FALSE(refused);
      EXPECT_THAT(refused.error().message, AllOf(Not(HasSubstr("hunter2")), Not(::testing::IsEmpty())));
    });
  }
}

// A password of anything, put into a URL as it is: it is refused, or read right, and never repeated.
TEST(PostgresUrl, NoPieceOfAPasswordIsEverInAMessage) {
  const auto seed = std::random_device()();
  std::mt19937 random(seed);
  // "QX" in every piece, which stands nowhere else.
  const std::vector<std::string> parts{"@", "/", "%", ":", "#",   "?",  " ", "&",
                                       "=", "[", "]", ",", "%41", "\\", "'"};
  IoThreads thread(1);
  for (int round = 0; round < 300; ++round) {
    std::string password = "QX";
    for (auto left = random() % 5; left > 0; --left) password += parts[random() % parts.size()] + "QX";
    const auto url = fmt::format("postgresql://u:{}@127.0.0.1:1/db?sslmode=disable", password);
    const auto wrong = why_malformed(url).value_or("");
    EXPECT_THAT(wrong, Not(HasSubstr("QX"))) << url << " seed " << seed;
    if (!wrong.empty()) continue;
    thread.run(0, [&]() -> Task<void> {
      const auto refused = co_await Connection::connect(thread.executor(0), url, in(seconds(30)));
      EXPECT_FALSE(refused);
      EXPECT_THAT(refused.error().message, AllOf(HasSubstr("127.0.0.1"), Not(HasSubstr("QX"))))
          << url << " seed " << seed;
    });
  }
}

TEST(PostgresUrl, SaysHowAPasswordIsWritten) {
  for (const char* url :
       {"postgresql://u:a@b@h/db", "postgresql://u:a/b@h/db", "postgresql://u:a%b@h/db",
        "postgresql://u:12/b@h/db", "postgresql://u:a@b?c=d@h/db", "postgresql://u:ab/db"}) {
    EXPECT_THAT(why_malformed(url).value_or(""), AllOf(HasSubstr("%40"), HasSubstr("PGPASSWORD"))) << url;
  }
  EXPECT_THAT(why_malformed("postgresql://u:a%00@h/db").value_or(""), ::testing::StartsWith("has a '%00'"));
  EXPECT_EQ(why_malformed("postgresql://u:a%2500@h/db"), std::nullopt);
  for (const char* url :
       {"postgresql://u:a%40b%2Fc%25@h/db", "postgresql://u@h:5432,[::1]:5433/db?sslmode=require",
        "postgres:///db?host=/run/postgresql", "postgresql://u:a:b#?c@h/db", "postgresql://"}) {
    EXPECT_EQ(why_malformed(url), std::nullopt) << url;
  }
}

// --- Pool ----------------------------------------------------------------------------------------

TEST_F(ConnectionTest, APoolHandsOutSoManyConnectionsAndUsesThemAgain) {
  on_thread([this]() -> Task<void> {
    Pool pool(thread_.executor(0), url_, 2);
    const auto pid_of = [](Connection& connection) -> Task<std::int64_t> {
      const auto rows = co_await run(connection, "SELECT pg_backend_pid()::bigint");
      co_return rows->at(0)[0].integer(0);
    };
    std::int64_t first_pid = 0;
    {
      auto first = co_await pool.acquire(in(seconds(30)));
      auto second = co_await pool.acquire(in(seconds(30)));
      EXPECT_TRUE(first && second);
      first_pid = co_await pid_of(**first);
      const auto second_pid = co_await pid_of(**second);
      EXPECT_NE(first_pid, second_pid);
      const auto third = co_await pool.acquire(in(milliseconds(20)));
      EXPECT_FALSE(third);
      EXPECT_EQ(third.error().kind, Failure::Kind::busy);
    }
    {
      auto reused = co_await pool.acquire(in(seconds(30)));
      auto other = co_await pool.acquire(in(seconds(30)));
      const auto one = co_await pid_of(**reused);
      const auto two = co_await pid_of(**other);
      EXPECT_TRUE(one == first_pid || two == first_pid);
      (*reused)->give_up();
      (*other)->give_up();
    }
    auto fresh = co_await pool.acquire(in(seconds(30)));
    const auto fresh_pid = co_await pid_of(**fresh);
    EXPECT_NE(fresh_pid, first_pid) << "what was given up is not used again";
    pool.close();
  });
}

TEST_F(ConnectionTest, WhoeverWaitsGetsTheConnectionThatIsGivenBack) {
  on_thread([this]() -> Task<void> {
    Pool pool(thread_.executor(0), url_, 1);
    TaskGroup tasks(thread_.executor(0));
    int served = 0;
    auto held = std::make_unique<Outcome<Pool::Lease>>(co_await pool.acquire(in(seconds(30))));
    for (int i = 0; i < 5; ++i) {
      tasks.spawn([&]() -> Task<void> {
        const auto lease = co_await pool.acquire(in(seconds(30)));
        if (!lease) co_return;
        const auto done = co_await run(**lease, "SELECT 1::bigint");
        if (done) ++served;
      });
    }
    EXPECT_EQ(served, 0);
    held.reset();
    const bool all_done = co_await tasks.join_until(in(seconds(30)));
    EXPECT_TRUE(all_done);
    EXPECT_EQ(served, 5);
    pool.close();
  });
}

TEST_F(ConnectionTest, AConnectionThatTheServerClosedIsReplacedBeforeAnybodySendsOnIt) {
  on_thread([this]() -> Task<void> {
    Pool pool(thread_.executor(0), url_, 1);
    const auto other = co_await connect();
    std::int64_t first_pid = 0;
    {
      auto lease = co_await pool.acquire(in(seconds(30)));
      const auto pid = co_await run(**lease, "SELECT pg_backend_pid()::bigint");
      first_pid = pid->at(0)[0].integer(0);
    }
    // Waits for its end, up to 30 s.
    std::vector<Statement> statements;
    statements.emplace_back("SELECT pg_terminate_backend($1::bigint::int, 30000)").bind(first_pid);
    const auto ended = co_await other->run(std::move(statements), in(seconds(30)));
    EXPECT_TRUE(ended->at(0)[0].boolean(0));
    auto lease = co_await pool.acquire(in(seconds(30)));
    const auto done = co_await run(**lease, "SELECT pg_backend_pid()::bigint");
    EXPECT_TRUE(done);
    EXPECT_NE(done->at(0)[0].integer(0), first_pid);
    pool.close();
  });
}

TEST_F(ConnectionTest, UsersOfOneKindHaveTheirShareOfAPoolAndOneAtLeast) {
  on_thread([this]() -> Task<void> {
    const std::vector<std::array<std::size_t, 3>> cases{{8, 2, 4}, {8, 4, 2}, {5, 2, 2},
                                                        {3, 2, 1}, {3, 4, 1}, {1, 2, 1}};
    for (const auto& [size, parts, share] : cases) {
      Pool pool(thread_.executor(0), url_, size);
      EXPECT_TRUE(pool.share_has_room(share - 1, parts)) << size << " in " << parts;
      EXPECT_FALSE(pool.share_has_room(share, parts)) << size << " in " << parts;
    }
    co_return;
  });
}

TEST_F(ConnectionTest, AShareIsOneOfWhatTheServerGives) {
  on_thread([this]() -> Task<void> {
    const auto limited = testing::postgres_role(url_, schema_ + "_few", "CONNECTION LIMIT 3");
    Pool pool(thread_.executor(0), limited, 8);
    EXPECT_TRUE(pool.share_has_room(3, 2));
    TaskGroup tasks(thread_.executor(0));
    {
      std::vector<Pool::Lease> all;
      for (int i = 0; i < 3; ++i) {
        auto lease = co_await pool.acquire(in(seconds(30)));
        EXPECT_TRUE(lease);
        if (!lease) co_return;
        all.push_back(std::move(*lease));
      }
      tasks.spawn([&]() -> Task<void> {
        const auto fourth = co_await pool.acquire(in(seconds(60)));
        EXPECT_TRUE(fourth) << "when one of the three comes back";
      });
      const auto give_up_at = in(seconds(30));
      SteadyTimer pause(thread_.executor(0));
      while (pool.share_has_room(1, 2) && steady_clock::now() < give_up_at) {
        pause.expires_after(milliseconds(1));
        co_await pause.async_wait(use_tuple);
      }
      EXPECT_FALSE(pool.share_has_room(1, 2)) << "of two connections, one";
      EXPECT_TRUE(pool.share_has_room(0, 2));
    }
    const bool all_done = co_await tasks.join_until(in(seconds(60)));
    EXPECT_TRUE(all_done);
    pool.close();
  });
}

TEST_F(ConnectionTest, APoolLivesWithTheConnectionsThatItsRoleMayHave) {
  on_thread([this]() -> Task<void> {
    const auto limited = testing::postgres_role(url_, schema_ + "_limited", "CONNECTION LIMIT 3");
    Pool pool(thread_.executor(0), limited, 8);
    TaskGroup tasks(thread_.executor(0));
    int served = 0;
    std::string failures;
    for (int i = 0; i < 100; ++i) {
      tasks.spawn([&]() -> Task<void> {
        const auto lease = co_await pool.acquire(in(seconds(30)));
        if (!lease) failures += lease.error().message + "; ";
        if (!lease) co_return;
        const auto done = co_await run(**lease, "SELECT 1::bigint FROM pg_sleep(0.005)");
        if (done) ++served;
      });
    }
    const bool all_done = co_await tasks.join_until(in(seconds(60)));
    EXPECT_TRUE(all_done);
    EXPECT_EQ(served, 100) << failures;
    pool.close();
  });
}

TEST_F(ConnectionTest, WhoeverGivesUpWaitingTakesNoTurnWithHim) {
  on_thread([this]() -> Task<void> {
    Pool pool(thread_.executor(0), url_, 1);
    auto held = std::make_unique<Outcome<Pool::Lease>>(co_await pool.acquire(in(seconds(30))));
    asio::cancellation_signal cancel;
    bool cancelled = false;
    co_spawn(
        thread_.executor(0),
        [&]() -> Task<void> {
          const auto lease = co_await pool.acquire(in(seconds(60)));
          // Or the turn came first; then it goes back at once.
          EXPECT_TRUE(lease || lease.error().kind == Failure::Kind::busy);
        },
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { cancelled = true; }));
    // Handed the turn and cancelled in one step.
    co_await asio::post(thread_.executor(0), use_task);
    cancel.emit(asio::cancellation_type::terminal);
    held.reset();
    while (!cancelled) co_await asio::post(thread_.executor(0), use_task);
    const auto next = co_await pool.acquire(in(seconds(30)));
    EXPECT_TRUE(next);
    pool.close();
  });
}

}  // namespace
}  // namespace switchyard::postgres
