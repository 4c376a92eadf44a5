#include "postgres/connection.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include "base/assert.hpp"
#include "base/hex.hpp"

namespace switchyard::postgres {
namespace {

using namespace asio::experimental::awaitable_operators;

constexpr int binary_format = 1;
constexpr std::string_view no_descriptor = "this process has as many files open as it may";

// One line without the line breaks and indentation that libpq's messages have.
std::string one_line(std::string_view message) {
  std::string line;
  for (const char c : message) {
    const bool space = c == '\n' || c == '\t' || c == ' ';
    if (!space) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

bool is_error(const pg_result* result) {
  const auto status = PQresultStatus(result);
  return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_PIPELINE_SYNC;
}

std::string field(const pg_result* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

// `at_commit`: it answers what commits. The server ends a session with FATAL or PANIC, perhaps with the
// commit on disk already; before the commit nothing of it can be.
Failure refusal(const pg_result* result, bool at_commit) {
  const bool ends_the_session = field(result, PG_DIAG_SEVERITY_NONLOCALIZED) != "ERROR";
  const auto kind = at_commit && ends_the_session ? Failure::Kind::unknown : Failure::Kind::refused;
  return {kind, field(result, PG_DIAG_SQLSTATE), one_line(field(result, PG_DIAG_MESSAGE_PRIMARY))};
}

bool is_commit(const Statement& statement) {
  return std::string_view(statement.sql()) == "COMMIT";
}

// A transaction that has failed is committed by rolling it back, and that is no error to the server.
bool is_rolled_back(const Statement& statement, pg_result* result) {
  return is_commit(statement) && std::string_view(PQcmdStatus(result)) == "ROLLBACK";
}

// The server is going down, or is not the one that may write any more: another connection may reach one that
// is.
bool ends_the_connection(const std::string& sqlstate) {
  return sqlstate.starts_with("57P") || sqlstate.starts_with("08") || sqlstate == "25006" ||
         is_of_the_session(sqlstate);
}

// Why a connection could not be made, from libpq's words: "...: FATAL:  53300: too many connections". The
// code stands in them because of PQERRORS_VERBOSE, the place in PostgreSQL's source as well.
Failure connection_failure(std::string message) {
  constexpr std::string_view before_code = ":  ";
  constexpr std::size_t code_length = 5;
  Failure failure;
  for (auto at = message.find(before_code); at != message.npos; at = message.find(before_code, at + 1)) {
    const auto code = message.substr(at + before_code.size(), code_length);
    const auto end = at + before_code.size() + code.size();
    const bool is_code =
        code.size() == code_length && message.compare(end, 2, ": ") == 0 &&
        std::ranges::all_of(code, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
    if (!is_code) continue;
    failure.sqlstate = code;
    message.erase(at + before_code.size(), code_length + 2);
  }
  for (auto at = message.find("\nLOCATION:"); at != message.npos; at = message.find("\nLOCATION:")) {
    const auto end = message.find('\n', at + 1);
    message.erase(at, end == message.npos ? end : end - at);
  }
  failure.message = one_line(message);
  if (failure.sqlstate == "28P01") {
    failure.message +=
        "; a password in a URL is percent-decoded, so one with a % is written with %25, and PGPASSWORD is "
        "taken "
        "as it is";
  }
  return failure;
}

}  // namespace

bool is_of_the_session(const std::string& sqlstate) {
  constexpr std::array<std::string_view, 4> codes{
      "0A000",  // cached plan must not change result type: a column was altered
      "26000",  // no such prepared statement: somebody between has changed sessions, or DISCARD ALL
      "42P05",  // it is prepared already
      "25P02",  // a transaction that failed was left open
  };
  return std::ranges::find(codes, sqlstate) != codes.end();
}

namespace {

// How a password is written in a URL, for one that was not written so.
constexpr std::string_view how_to_encode =
    "a password in a URL is percent-encoded (% is %25, @ is %40, / is %2F, # is %23, ? is %3F, a blank %20); "
    "or "
    "leave it out of the URL and set PGPASSWORD, which is taken as it is";

// What libpq would read as something else than it was meant, and then repeat in its messages: behind the '@'
// that it takes for the end of a password there would be the rest of one.
bool is_ambiguous(std::string_view url) {
  const auto rest = url.substr(std::min(url.size(), url.find("://") + 3));
  const auto at = rest.find('@');
  return at != rest.npos && (at > rest.find('/') || rest.find('@', at + 1) != rest.npos);
}

bool has_lone_percent(std::string_view url) {
  for (auto at = url.find('%'); at != url.npos; at = url.find('%', at + 1)) {
    const auto digits = url.substr(at + 1, 2);
    if (digits.size() != 2 || !std::ranges::all_of(digits, is_hex_digit)) return true;
  }
  return false;
}

bool has_a_wrong_port(const PQconninfoOption* options) {
  for (const auto* option = options; option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) != "port" || option->val == nullptr) continue;
    return std::string_view(option->val).find_first_not_of("0123456789,") != std::string_view::npos;
  }
  return false;
}

}  // namespace

std::optional<std::string> why_malformed(const std::string& url) {
  if (is_ambiguous(url)) return fmt::format("has an '@' or a '/' where none can be; {}", how_to_encode);
  if (has_lone_percent(url)) {
    return fmt::format("has a '%' that no two hexadecimal digits follow; {}", how_to_encode);
  }
  if (url.find("%00") != url.npos)
    return fmt::format("has a '%00', and no value holds that byte; {}", how_to_encode);
  char* words = nullptr;
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), &words);
  std::string message = words == nullptr ? "" : words;
  PQfreemem(words);
  if (options != nullptr) {
    const bool wrong_port = has_a_wrong_port(options);
    PQconninfoFree(options);
    if (!wrong_port) return std::nullopt;
    return fmt::format("has a port that is no number; {}", how_to_encode);
  }
  // libpq quotes what it could not read, which may be or hold the password.
  message.resize(std::min(message.size(), message.find('"')));
  while (message.ends_with(' ') || message.ends_with(':')) message.pop_back();
  return "cannot be read: " + one_line(message);
}

void Connection::Finish::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

Connection::Connection(Executor executor, pg_conn* connection)
    : executor_(executor), connection_(connection), socket_(executor), timer_(executor) {}

Task<Outcome<std::unique_ptr<Connection>>> Connection::connect(Executor executor, std::string url,
                                                               Deadline deadline) {
  if (auto malformed = why_malformed(url)) {
    Failure failure{Failure::Kind::unreachable, "", "the URL " + std::move(*malformed)};
    co_return std::unexpected(std::move(failure));
  }
  // What stands before dbname, the URL may overrule.
  const std::array<const char*, 8> names{"fallback_application_name",
                                         "target_session_attrs",
                                         "tcp_user_timeout",
                                         "keepalives_idle",
                                         "dbname",
                                         "client_encoding",
                                         "connect_timeout",
                                         nullptr};
  const std::array<const char*, 8> values{"switchyard", "read-write", "10000", "10",
                                          url.c_str(),  "UTF8",       "0",     nullptr};
  constexpr int expand_dbname = 1;
  std::unique_ptr<Connection> made(
      new Connection(executor, PQconnectStartParams(names.data(), values.data(), expand_dbname)));
  // Notices would go to standard error.
  PQsetNoticeProcessor(made->connection_.get(), [](void*, const char*) {}, nullptr);
  PQsetErrorVerbosity(made->connection_.get(), PQERRORS_VERBOSE);
  const auto established = co_await made->establish(deadline);
  if (!established) co_return std::unexpected(established.error());
  co_return made;
}

bool Connection::follow_socket() {
  const int own = fcntl(PQsocket(connection_.get()), F_DUPFD_CLOEXEC, 0);
  boost::system::error_code ignored;
  socket_.close(ignored);
  if (own >= 0) socket_.assign(own);
  return own >= 0;
}

Task<Outcome<void>> Connection::establish(Deadline deadline) {
  const auto failed = [this] {
    return std::unexpected(connection_failure(PQerrorMessage(connection_.get())));
  };
  if (PQstatus(connection_.get()) == CONNECTION_BAD) co_return failed();
  for (auto polled = PGRES_POLLING_WRITING; polled != PGRES_POLLING_OK;) {
    if (polled == PGRES_POLLING_FAILED) co_return failed();
    if (!follow_socket()) co_return lost(Failure::Kind::unreachable, no_descriptor);
    const bool ready = co_await wait(polled == PGRES_POLLING_READING ? Wait::read : Wait::write, deadline);
    if (!ready) co_return lost(Failure::Kind::unreachable, "the server did not answer in time");
    polled = PQconnectPoll(connection_.get());
  }
  if (!follow_socket()) co_return lost(Failure::Kind::unreachable, no_descriptor);
  SWITCHYARD_ASSERT(PQsetnonblocking(connection_.get(), 1) == 0);
  SWITCHYARD_ASSERT(PQenterPipelineMode(connection_.get()) == 1);
  usable_ = true;
  co_return co_await prepare_session(deadline);
}

Task<Outcome<void>> Connection::prepare_session(Deadline deadline) {
  std::vector<Statement> statements;
  // What is acknowledged is on disk, whatever the server's default says; stricter settings are left as they
  // are.
  statements.emplace_back(
      "SELECT set_config('synchronous_commit', 'on', false) "
      "WHERE current_setting('synchronous_commit') IN ('off', 'local')");
  statements.emplace_back("SET default_transaction_isolation = 'read committed'");
  // A plan is made once, perhaps while the tables are still empty. All statements here find their rows
  // through an index, so that a plan without one is never right.
  statements.emplace_back("SET enable_seqscan = off");
  statements.emplace_back("SET enable_hashjoin = off");
  statements.emplace_back("SET enable_mergejoin = off");
  // A statement that nobody waits for any more, and a transaction whose program hangs, hold locks.
  statements.emplace_back("SET statement_timeout = '30s'");
  statements.emplace_back("SET idle_in_transaction_session_timeout = '10s'");
  // The pool closes what it does not need.
  statements.emplace_back("SET idle_session_timeout = 0");
  auto done = co_await run(std::move(statements), deadline);
  if (!done) {
    // Whatever became of these statements, nobody has asked for anything yet.
    done.error().kind = Failure::Kind::unreachable;
    co_return std::unexpected(std::move(done.error()));
  }
  co_return Outcome<void>{};
}

Task<bool> Connection::wait(Wait what, Deadline deadline) {
  timer_.expires_at(deadline);
  auto timed_out = timer_.async_wait(use_tuple);
  auto readable = socket_.async_wait(Descriptor::wait_read, use_tuple);
  std::size_t first = 0;
  if (what == Wait::read) {
    auto either = std::move(readable) || std::move(timed_out);
    const auto ended = co_await std::move(either);
    first = ended.index();
  } else if (what == Wait::write) {
    auto writable = socket_.async_wait(Descriptor::wait_write, use_tuple);
    auto either = std::move(writable) || std::move(timed_out);
    const auto ended = co_await std::move(either);
    first = ended.index();
  } else {
    auto writable = socket_.async_wait(Descriptor::wait_write, use_tuple);
    auto either = std::move(readable) || std::move(timed_out) || std::move(writable);
    const auto ended = co_await std::move(either);
    first = ended.index();
  }
  co_return first != 1;
}

bool Connection::send(const Statement& statement, std::size_t number) {
  const auto& parameters = statement.parameters();
  auto& name = prepared_[statement.sql()];
  if (name.empty()) {
    name = fmt::format("s{}", ++names_given_);
    newly_prepared_.push_back(statement.sql());
    expected_.push_back({number, true});
    if (PQsendPrepare(connection_.get(), name.c_str(), statement.sql(), 0, nullptr) != 1) return false;
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? parameter->data() : nullptr);
    lengths.push_back(parameter ? static_cast<int>(parameter->size()) : 0);
  }
  const std::vector<int> formats(parameters.size(), binary_format);
  expected_.push_back({number, false});
  return PQsendQueryPrepared(connection_.get(), name.c_str(), static_cast<int>(parameters.size()),
                             values.data(), lengths.data(), formats.data(), binary_format) == 1;
}

bool Connection::send(const std::vector<Statement>& statements) {
  for (std::size_t number = 0; number < statements.size(); ++number) {
    if (!send(statements[number], number)) return false;
  }
  return PQpipelineSync(connection_.get()) == 1;
}

Task<bool> Connection::flush(Deadline deadline) {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left <= 0) co_return left == 0;
    // The server may want to be read before it reads on.
    const bool ready = co_await wait(Wait::read_or_write, deadline);
    if (!ready || PQconsumeInput(connection_.get()) != 1) co_return false;
  }
}

Task<pg_result*> Connection::next_result(Deadline deadline) {
  while (PQisBusy(connection_.get()) != 0) {
    const bool ready = co_await wait(Wait::read, deadline);
    if (!ready || PQconsumeInput(connection_.get()) != 1) {
      usable_ = false;
      co_return nullptr;
    }
  }
  co_return PQgetResult(connection_.get());
}

bool Connection::is_still_open() {
  // Unasked come notices, changed parameters, and at last the reason why the server closes it.
  constexpr int reads_max = 8;
  for (int i = 0; i < reads_max; ++i) {
    pollfd descriptor{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    if (poll(&descriptor, 1, 0) == 0) return true;
    if (PQconsumeInput(connection_.get()) != 1) return false;
    PQisBusy(connection_.get());  // takes what was read out of the buffer
    if (PQstatus(connection_.get()) == CONNECTION_BAD) return false;
  }
  return false;
}

Task<Outcome<std::vector<Rows>>> Connection::run(std::vector<Statement> statements, Deadline deadline) {
  SWITCHYARD_ASSERT(is_usable());
  // Stays set when whoever waits here is cancelled: then answers are left that nobody has read.
  running_ = true;
  auto done = co_await send_and_receive(statements, deadline);
  running_ = false;
  co_return done;
}

Task<Outcome<std::vector<Rows>>> Connection::send_and_receive(const std::vector<Statement>& statements,
                                                              Deadline deadline) {
  expected_.clear();
  newly_prepared_.clear();
  // Sent in part is sent: the server works a statement off before it sees the end of the run.
  if (!send(statements)) co_return lost(Failure::Kind::unknown, "the statements could not be sent");
  const bool flushed = co_await flush(deadline);
  if (!flushed) co_return lost(Failure::Kind::unknown, "the server did not take the statements in time");
  co_return co_await receive(statements, deadline);
}

Task<Outcome<std::vector<Rows>>> Connection::receive(const std::vector<Statement>& statements,
                                                     Deadline deadline) {
  std::vector<Rows> results;
  results.reserve(statements.size());
  std::optional<Failure> refused;
  for (const auto [number, preparation] : expected_) {
    const auto& statement = statements[number];
    for (;;) {
      auto* result = co_await next_result(deadline);
      const bool is_lost = !usable_ || (result == nullptr && PQstatus(connection_.get()) == CONNECTION_BAD);
      if (is_lost) usable_ = false;
      if (is_lost && refused) co_return std::unexpected(std::move(*refused));
      if (is_lost) co_return lost(Failure::Kind::unknown, "the connection was lost before the answer");
      if (result == nullptr) break;
      Rows rows(result);
      // After the first error the rest of the pipeline is only reported as not done.
      if (is_error(result) && !refused) refused = refusal(result, is_commit(statement));
      if (is_rolled_back(statement, result)) {
        refused = Failure{Failure::Kind::refused, "40000", "the server answered COMMIT with a rollback"};
      }
      if (!preparation) results.push_back(std::move(rows));
    }
  }
  auto not_ended = co_await receive_end(deadline);
  if (!refused && !not_ended) co_return results;
  if (!refused) co_return std::unexpected(std::move(*not_ended));
  for (const char* sql : newly_prepared_) prepared_.erase(sql);
  if (ends_the_connection(refused->sqlstate)) usable_ = false;
  co_return std::unexpected(std::move(*refused));
}

// The transaction is committed when the server has answered to its end, and not before.
Task<std::optional<Failure>> Connection::receive_end(Deadline deadline) {
  auto* end = co_await next_result(deadline);
  const Rows end_rows(end);
  if (usable_ && end != nullptr && PQresultStatus(end) == PGRES_PIPELINE_SYNC) co_return std::nullopt;
  // The commit itself was refused, such as by a deferred constraint or a server going down.
  const bool refused = end != nullptr && is_error(end);
  auto failure =
      refused
          ? refusal(end, true)
          : lost(Failure::Kind::unknown, "the connection was lost before the commit was confirmed").error();
  usable_ = false;
  co_return failure;
}

std::unexpected<Failure> Connection::lost(Failure::Kind kind, std::string_view what) {
  usable_ = false;
  auto message = connection_ ? one_line(PQerrorMessage(connection_.get())) : std::string();
  if (message.empty()) message = what;
  return std::unexpected(Failure{kind, {}, std::move(message)});
}

}  // namespace switchyard::postgres
