// A connection to PostgreSQL for an operator's command: the calling thread waits for each answer.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/io_threads.hpp"
#include "postgres/connection.hpp"

namespace switchyard::postgres {

// Each operation takes `time` at most, and throws std::runtime_error with a line for the operator if it
// fails.
class BlockingConnection {
 public:
  BlockingConnection(const std::string& url, std::chrono::seconds time) : time_(time) {
    connection_ = thread_.run(0, [&]() -> Task<std::unique_ptr<Connection>> {
      auto made = co_await Connection::connect(thread_.executor(0), url, deadline());
      require(made);
      co_return std::move(*made);
    });
  }

  // A callable that returns Task<T>.
  template <class Work>
  auto with_connection(Work work) {
    return thread_.run(0, [&] { return work(*connection_); });
  }
  Rows run(Statement statement) {
    auto rows = thread_.run(0, [&]() -> Task<std::vector<Rows>> {
      std::vector<Statement> statements;
      statements.push_back(std::move(statement));
      auto done = co_await connection_->run(std::move(statements), deadline());
      require(done);
      co_return std::move(*done);
    });
    return std::move(rows.front());
  }
  std::int64_t integer(const char* sql) { return run(Statement(sql))[0].integer(0); }

 private:
  Deadline deadline() const { return std::chrono::steady_clock::now() + time_; }

  template <class T>
  static void require(const Outcome<T>& outcome) {
    if (!outcome) throw std::runtime_error(fmt::format("PostgreSQL: {}", outcome.error().message));
  }

  IoThreads thread_{1};
  std::chrono::seconds time_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace switchyard::postgres
