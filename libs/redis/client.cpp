#include "redis/client.hpp"

#include <algorithm>

#include "redis/sentinel.hpp"

namespace switchyard::redis {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// For all of it: sentinels, TCP, TLS, AUTH.
constexpr milliseconds connect_max{3'000};
constexpr milliseconds pause_first{50};
constexpr milliseconds pause_longest{2'000};

}  // namespace

Client::Client(Executor executor, Url url, Callbacks callbacks, ConnectionLimits limits)
    : executor_(executor),
      url_(std::move(url)),
      callbacks_(std::move(callbacks)),
      limits_(limits),
      stop_(executor),
      tasks_(executor) {}

Client::~Client() {
  SWITCHYARD_ASSERT(tasks_.size() == 0);
}

void Client::start() {
  tasks_.spawn([this] { return keep_connected(); });
}

Task<void> Client::stop() {
  stopping_ = true;
  stop_.set();
  // keep_connected() waits for its tasks: an Event has one waiter.
  if (connection_) connection_->end("the connection was closed");
  co_await tasks_.join_until(Deadline::max());
}

Task<Result<std::vector<Reply>>> Client::pipeline(Commands commands, Deadline deadline) {
  if (!ready_) co_return fail(ErrorCode::queue_unavailable, why_not_ready_);
  // Kept while it is used: another connection may be in its place when the replies come.
  const auto connection = connection_;
  co_return co_await connection->pipeline(std::move(commands), deadline);
}

Task<Result<Reply>> Client::command(Commands one, Deadline deadline) {
  if (!ready_) co_return fail(ErrorCode::queue_unavailable, why_not_ready_);
  const auto connection = connection_;
  co_return co_await connection->command(std::move(one), deadline);
}

Task<void> Client::keep_connected() {
  auto pause = pause_first;
  while (!stopping_) {
    const auto generation_before = generation_;
    auto used = co_await use_one_connection();
    if (stopping_) break;
    if (!used) {
      why_not_ready_ = used.error().detail;
      if (!told_ && callbacks_.on_lost) callbacks_.on_lost(used.error());
      told_ = true;
    }
    pause = generation_ > generation_before ? pause_first : std::min(pause * 2, pause_longest);
    co_await stop_.wait_until(steady_clock::now() + pause);
  }
}

// From the first byte to the last; the error says why it ended.
Task<Result<void>> Client::use_one_connection() {
  auto stream = co_await reach();
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  if (stopping_) co_return Result<void>();
  connection_ = std::make_shared<Connection>(executor_, std::move(*stream), limits_, callbacks_.on_message);
  auto prepared = co_await prepare();
  if (prepared) {
    ready_ = true;
    ++generation_;
    told_ = false;
    if (callbacks_.on_ready) callbacks_.on_ready();
    co_await connection_->wait_for_end();
    ready_ = false;
    prepared = fail(ErrorCode::queue_unavailable, connection_->why_ended());
  }
  co_await connection_->close();
  co_return prepared;
}

Task<Result<std::unique_ptr<Stream>>> Client::reach() {
  const auto deadline = steady_clock::now() + connect_max;
  Endpoint endpoint;
  if (url_.has_sentinels()) {
    auto master = co_await find_master(executor_, url_, deadline);
    if (!master) co_return std::unexpected(std::move(master.error()));
    endpoint = std::move(*master);
  } else if (!url_.endpoints.empty()) {
    endpoint = url_.endpoints.front();
  }
  co_return co_await connect(executor_, url_, std::move(endpoint), deadline);
}

Task<Result<void>> Client::prepare() {
  const auto deadline = steady_clock::now() + connect_max;
  auto done = co_await connection_->introduce(url_, deadline);
  if (done && url_.has_sentinels()) done = co_await require_master(*connection_, deadline);
  if (done && callbacks_.on_connected) done = co_await callbacks_.on_connected(*connection_);
  co_return done;
}

}  // namespace switchyard::redis
