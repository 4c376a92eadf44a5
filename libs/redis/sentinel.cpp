#include "redis/sentinel.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace switchyard::redis {
namespace {

// One sentinel that hangs must not use up the time for the others.
constexpr std::chrono::milliseconds one_sentinel_max{1'000};

Result<Endpoint> read_master(const Reply& reply, const Url& url) {
  if (const auto checked = require_no_error(reply); !checked) return std::unexpected(checked.error());
  if (reply.elements.size() != 2) {
    return fail(ErrorCode::queue_unavailable, fmt::format("no sentinel knows the service {}", url.service));
  }
  Endpoint master{reply.elements[0].text, 0};
  const auto& port = reply.elements[1].text;
  std::from_chars(port.data(), port.data() + port.size(), master.port);
  if (master.host.empty() || master.port == 0) {
    return fail(ErrorCode::queue_unavailable, "a sentinel gives an address that is none");
  }
  return master;
}

Task<Result<Endpoint>> ask(Executor executor, Url url, Endpoint sentinel, Deadline deadline) {
  auto stream = co_await connect(executor, url, std::move(sentinel), deadline);
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  Connection connection(executor, std::move(*stream));
  Commands question{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", url.service};
  const auto reply = co_await connection.command(std::move(question), deadline);
  co_await connection.close();
  if (!reply) co_return std::unexpected(reply.error());
  co_return read_master(*reply, url);
}

}  // namespace

Task<Result<Endpoint>> find_master(Executor executor, Url url, Deadline deadline) {
  Error last{ErrorCode::queue_unavailable, "there is no sentinel"};
  for (const auto& sentinel : url.endpoints) {
    const auto until = std::min(deadline, std::chrono::steady_clock::now() + one_sentinel_max);
    auto master = co_await ask(executor, url, sentinel, until);
    if (master) co_return master;
    last = std::move(master.error());
  }
  co_return std::unexpected(std::move(last));
}

Task<Result<void>> require_master(Connection& connection, Deadline deadline) {
  Commands question{"ROLE"};
  const auto reply = co_await connection.command(std::move(question), deadline);
  if (!reply) co_return std::unexpected(reply.error());
  if (const auto checked = require_no_error(*reply); !checked) co_return checked;
  if (reply->elements.empty() || !reply->elements[0].is("master")) {
    co_return fail(ErrorCode::queue_unavailable, "the server is not the master; a failover is going on");
  }
  co_return Result<void>();
}

}  // namespace switchyard::redis
