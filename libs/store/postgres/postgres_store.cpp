#include "store/postgres/postgres_store.hpp"

#include <array>
#include <stdexcept>

#include "store/postgres/run.hpp"
#include "store/postgres/schema.hpp"

namespace switchyard::store {
namespace {

using postgres::Failure;
using std::chrono::steady_clock;

constexpr std::size_t connections_max = 8;
constexpr std::chrono::seconds start_time{15};
constexpr std::chrono::milliseconds start_pause{200};
constexpr std::chrono::milliseconds retry_pause{20};

// While one commit waits for the disk, the next batch is sent.
constexpr postgres::BatcherLimits write_limits{.batches_under_way_max = 2};

// Refusals that another try, perhaps at another server, need not meet (PostgreSQL 15, appendix A).
bool is_transient(const std::string& sqlstate) {
  constexpr std::array<std::string_view, 5> codes{
      "40001",  // serialization failure
      "40P01",  // deadlock
      "53300",  // too many connections
      "25006",  // a server that may not write: the failover is under way
      "55P03",  // lock not available
  };
  return sqlstate.starts_with("57P") || std::ranges::find(codes, sqlstate) != codes.end();
}

// libpq gives no code for a connection that failed, only its words.
bool may_be_starting(std::string_view message) {
  constexpr std::array<std::string_view, 12> words{"onnection refused",
                                                   "starting up",
                                                   "shutting down",
                                                   "in recovery",
                                                   "No such file",
                                                   "did not answer",
                                                   "Connection reset",
                                                   "server closed the connection",
                                                   "session is read-only",
                                                   "could not translate host name",
                                                   "not accepting connections",
                                                   "not yet accepting connections"};
  return std::ranges::any_of(words, [&](auto word) { return message.find(word) != message.npos; });
}

Task<std::unique_ptr<postgres::Connection>> connect_at_start(Executor executor, std::string url,
                                                             steady_clock::time_point deadline) {
  for (;;) {
    auto connection = co_await postgres::Connection::connect(executor, url, deadline);
    if (connection) co_return std::move(*connection);
    const auto& message = connection.error().message;
    if (!may_be_starting(message) || steady_clock::now() + start_pause >= deadline) {
      throw std::runtime_error(fmt::format("PostgreSQL: {}; see DATABASE_URL", message));
    }
    SteadyTimer pause(executor, start_pause);
    co_await pause.async_wait(use_tuple);
  }
}

// A server that goes down meanwhile comes back; what it refuses, it refuses again.
Task<void> prepare_database(Executor executor, std::string url) {
  const auto deadline = steady_clock::now() + start_time;
  for (;;) {
    const auto connection = co_await connect_at_start(executor, url, deadline);
    try {
      co_await migrate(*connection);
      co_await require_finished_copy(*connection);
      co_return;
    } catch (const std::runtime_error&) {
      if (connection->is_usable() || steady_clock::now() + start_pause >= deadline) throw;
    }
    SteadyTimer pause(executor, start_pause);
    co_await pause.async_wait(use_tuple);
  }
}

}  // namespace

PostgresStore::PostgresStore(const std::string& url)
    : pool_(thread_.executor(0), url, connections_max),
      tasks_(thread_.executor(0)),
      creations_(thread_.executor(0), tasks_, write_limits,
                 [this](std::vector<NewTransaction> created) { return create_all(std::move(created)); }),
      creations_with_keys_(
          thread_.executor(0), tasks_, write_limits,
          [this](std::vector<NewTransaction> created) { return create_all_with_keys(std::move(created)); }),
      outcomes_(thread_.executor(0), tasks_, write_limits,
                [this](std::vector<payment::State> states) { return save_all(std::move(states)); }) {
  thread_.run(0, [this, url]() -> Task<void> { return prepare_database(thread_.executor(0), url); });
}

PostgresStore::~PostgresStore() {
  thread_.run(0, [this]() -> Task<void> {
    co_await tasks_.join_until(steady_clock::time_point::max());
    pool_.close();
  });
}

Task<postgres::Outcome<PostgresStore::RowSets>> PostgresStore::execute(Statements statements, Again again) {
  const auto deadline = steady_clock::now() + operation_time;
  for (;;) {
    auto connection = co_await pool_.acquire(std::min(deadline, steady_clock::now() + connection_time));
    if (!connection) co_return std::unexpected(std::move(connection.error()));
    auto copy = statements;
    auto done = co_await (*connection)->run(std::move(copy), deadline);
    if (done) co_return std::move(*done);
    const auto& failure = done.error();
    const bool open = failure.kind == Failure::Kind::unknown && again == Again::yes;
    const bool transient = failure.kind == Failure::Kind::refused && is_transient(failure.sqlstate);
    if ((!open && !transient) || steady_clock::now() + retry_pause >= deadline) {
      co_return std::unexpected(std::move(done.error()));
    }
    SteadyTimer pause(thread_.executor(0), retry_pause);
    co_await pause.async_wait(use_tuple);
  }
}

Task<Result<void>> PostgresStore::check_writable(Timestamp now) {
  Statements statements;
  statements
      .emplace_back(
          "INSERT INTO health (id, checked_at) VALUES (1, $1::timestamptz) "
          "ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at")
      .bind(now);
  return query<void>(std::move(statements), Again::yes, [](const RowSets&) -> Result<void> { return {}; });
}

}  // namespace switchyard::store
