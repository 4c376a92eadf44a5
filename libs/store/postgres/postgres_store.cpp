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
// Of them all, for what merchants read, and for what logins read; the rest is left to writes and claims.
constexpr std::size_t merchants_part = 2;
constexpr std::size_t logins_part = 4;
// Who waits in a line is told no later than who waits for a connection.
constexpr postgres::Turns::Limits logins_limits{.waiting = {.of_one_asker = 1024, .in_all = 1024},
                                                .patience = connection_time};
constexpr postgres::Turns::Limits merchants_limits{.waiting = {.of_one_asker = 4096, .in_all = 16'384},
                                                   .patience = connection_time};
// So many under way, and as many behind them.
constexpr std::size_t others_max = 512;
constexpr postgres::Turns::Limits others_limits{.waiting = {.of_one_asker = others_max, .in_all = others_max},
                                                .patience = connection_time};
constexpr std::chrono::seconds start_time{15};
constexpr std::chrono::minutes recovery_time{5};
constexpr std::chrono::milliseconds start_pause{200};

// While one commit waits for the disk, the next batch is sent.
constexpr postgres::BatcherLimits write_limits{.batches_under_way_max = 2};

// The server starts, stops, recovers or is full, all of which pass; or it is not there yet, for which libpq
// has no code, only words.
bool may_be_starting(const Failure& failure) {
  if (!failure.sqlstate.empty()) return failure.sqlstate.starts_with("57P") || failure.sqlstate == "53300";
  constexpr std::array<std::string_view, 7> words{"onnection refused",
                                                  "No such file",
                                                  "did not answer",
                                                  "Connection reset",
                                                  "server closed the connection",
                                                  "session is read-only",
                                                  "could not translate host name"};
  return std::ranges::any_of(words,
                             [&](auto word) { return failure.message.find(word) != failure.message.npos; });
}

struct Prepared {
  // There was nothing before.
  bool is_new = false;
  std::string installation;
};

// It is there, and says that it starts or recovers: after a crash that takes as long as its disk needs.
bool is_starting(const Failure& failure) {
  return failure.sqlstate == "57P03";
}

// Waits a while for a server that is starting. One that goes down meanwhile comes back; what it refuses, it
// refuses again.
Task<Prepared> prepare_database(Executor executor, std::string url, Opening opening) {
  const auto began = steady_clock::now();
  auto deadline = began + start_time;
  Prepared prepared;
  for (;;) {
    std::string wrong;
    bool may_pass = false;
    auto connection = co_await postgres::Connection::connect(executor, url, deadline);
    if (!connection) {
      wrong = fmt::format("PostgreSQL: {}; see DATABASE_URL", connection.error().message);
      may_pass = may_be_starting(connection.error());
      if (is_starting(connection.error())) deadline = began + recovery_time;
    } else {
      try {
        const auto version = co_await open_schema(**connection, opening);
        prepared.is_new = prepared.is_new || version == 0;
        co_await require_finished_copy(**connection);
        prepared.installation = co_await read_installation(**connection);
        co_return prepared;
      } catch (const std::runtime_error& error) {
        wrong = error.what();
        may_pass = !(*connection)->is_usable();
      }
    }
    if (!may_pass || steady_clock::now() + start_pause >= deadline) throw std::runtime_error(wrong);
    SteadyTimer pause(executor, start_pause);
    co_await pause.async_wait(use_tuple);
  }
}

}  // namespace

PostgresStore::PostgresStore(const std::string& url, Opening opening)
    : pool_(thread_.executor(0), url, connections_max),
      tasks_(thread_.executor(0)),
      creations_(thread_.executor(0), tasks_, write_limits, together_or_alone(&PostgresStore::create)),
      creations_with_keys_(thread_.executor(0), tasks_, write_limits,
                           together_or_alone(&PostgresStore::create)),
      answers_(thread_.executor(0), tasks_, write_limits, together_or_alone(&PostgresStore::save)),
      takes_(thread_.executor(0), tasks_, write_limits, together_or_alone(&PostgresStore::take_together)),
      event_additions_(thread_.executor(0), tasks_, write_limits,
                       together_or_alone(&PostgresStore::add_events)),
      event_ends_(thread_.executor(0), tasks_, write_limits,
                  together_or_alone(&PostgresStore::end_events_of)),
      logins_(thread_.executor(0), tasks_, logins_limits,
              [this](std::size_t in_use) { return pool_.share_has_room(in_use, logins_part); }),
      merchants_(thread_.executor(0), tasks_, merchants_limits,
                 [this](std::size_t in_use) { return pool_.share_has_room(in_use, merchants_part); }),
      others_(thread_.executor(0), tasks_, others_limits,
              [](std::size_t under_way) { return under_way < others_max; }) {
  auto prepared = thread_.run(0, [this, url, opening]() -> Task<Prepared> {
    return prepare_database(thread_.executor(0), url, opening);
  });
  installation_ = std::move(prepared.installation);
  if (prepared.is_new) made_anew_ = "tables in an empty PostgreSQL database";
}

PostgresStore::~PostgresStore() {
  thread_.run(0, [this]() -> Task<void> {
    co_await tasks_.join_until(steady_clock::time_point::max());
    pool_.close();
  });
}

Task<postgres::Outcome<PostgresStore::RowSets>> PostgresStore::execute(Statements statements, Effect effect,
                                                                       bool* is_repeated) {
  Retries retries;
  bool may_be_done = false;
  for (;;) {
    // Once it may be done, only the server can say, so that is worth all the time there is.
    const auto connect_by = may_be_done ? retries.deadline() : retries.connect_by();
    auto done = co_await try_once(statements, connect_by, retries.deadline());
    if (is_repeated != nullptr) *is_repeated = may_be_done;
    if (done) co_return done;
    auto& failure = done.error();
    const bool open = failure.kind == Failure::Kind::unknown;
    may_be_done = may_be_done || (open && effect != Effect::none);
    const bool again = (open && effect != Effect::once) || retries.is_worth_another(failure);
    if (!again || retries.is_late()) {
      if (may_be_done) failure.kind = Failure::Kind::unknown;
      if (open && !may_be_done) failure.kind = Failure::Kind::unreachable;
      co_return done;
    }
    SteadyTimer pause(thread_.executor(0), retry_pause);
    co_await pause.async_wait(use_tuple);
  }
}

Task<postgres::Outcome<PostgresStore::RowSets>> PostgresStore::try_once(Statements statements,
                                                                        postgres::Deadline connect_by,
                                                                        postgres::Deadline deadline) {
  auto connection = co_await pool_.acquire(connect_by);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  const bool begins = std::string_view(statements.front().sql()).starts_with("BEGIN");
  auto done = co_await (*connection)->run(std::move(statements), deadline);
  // Refused before COMMIT, it is still in the transaction.
  if (!done && begins) (*connection)->give_up();
  co_return done;
}

Task<Result<void>> PostgresStore::check_writable(Timestamp now) {
  const Statement note_health(R"(
INSERT INTO health (id, checked_at)
VALUES (1, $1::timestamptz)
ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at)",
                              now);
  Statements statements{note_health, Statement(look_for_privileges)};
  return query<void>(std::move(statements), Effect::repeatable, [](const RowSets& done) -> Result<void> {
    const auto missing = missing_privilege(done.back());
    if (missing) return fail(ErrorCode::store_unavailable, fmt::format("PostgreSQL: {}", *missing));
    return {};
  });
}

}  // namespace switchyard::store
