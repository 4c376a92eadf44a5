// One connection to PostgreSQL: libpq in pipeline mode on an event loop (PostgreSQL 15, 34.5).
//
// Belongs to the thread of its executor, and runs one thing at a time: pool.hpp hands connections out.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/event.hpp"
#include "base/task.hpp"
#include "postgres/rows.hpp"
#include "postgres/statement.hpp"

struct pg_conn;

namespace switchyard::postgres {

using Deadline = std::chrono::steady_clock::time_point;

struct Failure {
  enum class Kind {
    unreachable,  // there is no connection: nothing was sent
    busy,         // all connections that may be had are in use: nothing was sent
    refused,      // the server said no: nothing of it was done
    unknown,      // the connection was lost or the time was up: it may have been done, now or later
  };
  Kind kind = Kind::unreachable;
  // PostgreSQL's code (appendix A), such as 23505; empty if the server did not say anything.
  std::string sqlstate;
  // For the operator: the server's or libpq's own words, without the password.
  std::string message;
};

template <class T>
using Outcome = std::expected<T, Failure>;

// Refusals that speak of this session and not of what was asked: its plans are of an older table, or what it
// has prepared is not there. Nothing was done, and a new session does not meet them.
bool is_of_the_session(const std::string& sqlstate);

// What is wrong with a URL that libpq cannot read, or would misread because a password in it is not
// percent-encoded; without repeating any of it. Nothing if it can be read.
std::optional<std::string> why_malformed(const std::string& url);

class Connection {
 public:
  // `url` as libpq takes it, with all its parameters: several hosts, TLS, certificates. Unless it says
  // otherwise a host that can be written is looked for.
  static Task<Outcome<std::unique_ptr<Connection>>> connect(Executor executor, std::string url,
                                                            Deadline deadline);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends all statements at once and gives their results in order. Without BEGIN among them they are one
  // transaction, done when this returns; a refusal of one is a refusal of all. "COMMIT", where it is among
  // them, comes last; one that the server answers with a rollback is a refusal.
  Task<Outcome<std::vector<Rows>>> run(std::vector<Statement> statements, Deadline deadline);

  // False once it was lost, given up at a deadline, or left before its answers were read.
  bool is_usable() const { return usable_ && !running_; }
  // Whether the server has not closed it since it was used last. Does not wait.
  bool is_still_open();
  // For whoever leaves it in the middle of a transaction: the server rolls back when it is closed.
  void give_up() { usable_ = false; }

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
  enum class Wait { read, write, read_or_write };

  Connection(Executor executor, pg_conn* connection);

  Task<Outcome<void>> establish(Deadline deadline);
  Task<Outcome<void>> prepare_session(Deadline deadline);
  // False at the deadline.
  Task<bool> wait(Wait what, Deadline deadline);
  bool send(const std::vector<Statement>& statements);
  bool send(const Statement& statement, std::size_t number);
  Task<bool> flush(Deadline deadline);
  // Null when the connection is lost or the time is up, and at the end of a statement's results.
  Task<pg_result*> next_result(Deadline deadline);
  Task<Outcome<std::vector<Rows>>> send_and_receive(const std::vector<Statement>& statements,
                                                    Deadline deadline);
  Task<Outcome<std::vector<Rows>>> receive(const std::vector<Statement>& statements, Deadline deadline);
  Task<std::optional<Failure>> receive_end(Deadline deadline);
  std::unexpected<Failure> lost(Failure::Kind kind, std::string_view what);
  // Takes up a descriptor of its own for libpq's socket, which changes while libpq tries one host after the
  // other; false where the process can have no more. Of its own, because libpq closes its one as soon as a
  // connection fails, and its number may then be that of another thread's file.
  bool follow_socket();

  Executor executor_;
  std::unique_ptr<pg_conn, Finish> connection_;
  Descriptor socket_;
  SteadyTimer timer_;
  // Statements the server has prepared, by the address of their text; a name is never used again.
  std::unordered_map<const char*, std::string> prepared_;
  // What the results of the current run answer: the statement of this number, or its preparation.
  struct Expected {
    std::size_t statement = 0;
    bool preparation = false;
  };
  std::vector<Expected> expected_;
  std::vector<const char*> newly_prepared_;
  std::size_t names_given_ = 0;
  bool usable_ = false;
  bool running_ = false;
};

}  // namespace switchyard::postgres
