#include "store/postgres/inspect.hpp"

#include <stdexcept>

#include <fmt/format.h>

#include "base/io_threads.hpp"
#include "postgres/connection.hpp"

namespace switchyard::store {
namespace {

using postgres::Statement;

constexpr std::chrono::seconds inspection_time{5};

Task<PostgresInspection> inspect(Executor executor, std::string url) {
  const auto deadline = std::chrono::steady_clock::now() + inspection_time;
  auto connection = co_await postgres::Connection::connect(executor, std::move(url), deadline);
  if (!connection) throw std::runtime_error(fmt::format("PostgreSQL: {}", connection.error().message));
  const auto run = [&](const char* sql) -> Task<postgres::Rows> {
    std::vector<Statement> statements;
    statements.emplace_back(sql);
    auto done = co_await (*connection)->run(std::move(statements), deadline);
    if (!done) throw std::runtime_error(fmt::format("PostgreSQL: {}", done.error().message));
    co_return std::move(done->front());
  };
  PostgresInspection found;
  const auto server =
      co_await run("SELECT current_setting('server_version'), to_regclass('switchyard_schema') IS NULL");
  found.server_version = server.bytes(0, 0);
  if (server.boolean(0, 1)) co_return found;
  const auto version = co_await run("SELECT coalesce(max(version), 0)::bigint FROM switchyard_schema");
  found.schema_version = version.integer(0, 0);
  if (found.schema_version == 0) co_return found;
  const auto users = co_await run("SELECT count(*) FROM users");
  found.users = users.integer(0, 0);
  co_return found;
}

}  // namespace

PostgresInspection inspect_postgres(const std::string& url) {
  IoThreads thread(1);
  return thread.run(0, [&] { return inspect(thread.executor(0), url); });
}

}  // namespace switchyard::store
