#include "redis/connection.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace switchyard::redis {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t read_bytes = 16 * 1024;
// A buffer that grew for one large batch is given back.
constexpr std::size_t buffer_kept_bytes = 1024 * 1024;
// A command that comes while others are on their way may be due before them; it is seen at the next look.
constexpr std::chrono::milliseconds watch_interval{100};
constexpr auto never = Deadline::max();

std::unexpected<Error> unavailable(std::string detail) {
  return fail(ErrorCode::queue_unavailable, std::move(detail));
}

}  // namespace

Connection::Connection(Executor executor, std::unique_ptr<Stream> stream, ConnectionLimits limits,
                       OnMessage on_message)
    : executor_(executor),
      stream_(std::move(stream)),
      limits_(limits),
      on_message_(std::move(on_message)),
      reader_(limits.reply),
      input_(read_bytes),
      to_send_(executor),
      to_watch_(executor),
      end_(executor),
      tasks_(executor) {
  tasks_.spawn([this] { return read(); });
  tasks_.spawn([this] { return write(); });
  tasks_.spawn([this] { return watch(); });
}

Connection::~Connection() {
  SWITCHYARD_ASSERT(tasks_.size() == 0);
}

Task<Result<std::vector<Reply>>> Connection::pipeline(Commands commands, Deadline deadline) {
  if (ended_) co_return unavailable(why_ended_);
  if (commands.empty()) co_return std::vector<Reply>();
  if (commands_pending_ + commands.count() > limits_.commands_max ||
      unsent_.size() + commands.bytes().size() > limits_.unsent_bytes_max) {
    co_return fail(ErrorCode::overloaded, "too many commands are on their way to Redis");
  }
  const auto pending = std::make_shared<Pending>(executor_);
  pending->expected = commands.count();
  pending->deadline = deadline;
  pending->replies.reserve(commands.count());
  if (pending_.empty()) to_watch_.set();
  pending_.push_back(pending);
  commands_pending_ += commands.count();
  unsent_ += commands.bytes();
  to_send_.set();
  while (!pending->finished) co_await pending->done.wait_until(never);
  if (!pending->failure.empty()) co_return unavailable(std::move(pending->failure));
  co_return std::move(pending->replies);
}

Task<Result<Reply>> Connection::command(Commands one, Deadline deadline) {
  SWITCHYARD_ASSERT(one.count() == 1);
  auto replies = co_await pipeline(std::move(one), deadline);
  if (!replies) co_return std::unexpected(std::move(replies.error()));
  co_return std::move(replies->front());
}

Task<Result<void>> Connection::introduce(Url url, Deadline deadline) {
  Commands commands;
  if (!url.password.empty()) {
    if (url.user.empty()) {
      commands.add({"AUTH", url.password});
    } else {
      commands.add({"AUTH", url.user, url.password});
    }
  }
  if (url.database != 0) commands.add({"SELECT", std::to_string(url.database)});
  const auto replies = co_await pipeline(std::move(commands), deadline);
  if (!replies) co_return std::unexpected(replies.error());
  co_return require_no_error(*replies);
}

Task<void> Connection::read() {
  while (!ended_) {
    const auto size = co_await stream_->read_some(asio::buffer(input_));
    if (!size) {
      end(size.error().detail);
      co_return;
    }
    reader_.feed({input_.data(), *size});
    const auto delivered = deliver();
    if (!delivered) end(delivered.error().detail);
  }
}

Result<void> Connection::deliver() {
  while (!ended_) {
    auto reply = reader_.next();
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (!*reply) return {};
    if (pending_.empty()) {
      if (!on_message_) return unavailable("an answer that nobody asked for");
      on_message_(std::move(**reply));
      continue;
    }
    // A master that was replaced: a new connection finds the one that has taken its place.
    const bool is_replica = (*reply)->is_error() && (*reply)->text.find("READONLY ") != std::string::npos;
    const auto& first = pending_.front();
    first->replies.push_back(std::move(**reply));
    --commands_pending_;
    if (first->replies.size() == first->expected) {
      first->finished = true;
      first->done.set();
      pending_.pop_front();
    }
    if (is_replica) return unavailable("the server has become a replica");
  }
  return {};
}

Task<void> Connection::write() {
  while (!ended_) {
    if (unsent_.empty()) {
      co_await to_send_.wait_until(never);
      continue;
    }
    std::swap(unsent_, sending_);
    const auto written = co_await stream_->write(asio::buffer(sending_));
    if (!written) {
      end(written.error().detail);
      co_return;
    }
    sending_.clear();
    if (sending_.capacity() > buffer_kept_bytes) sending_ = std::string();
  }
}

Deadline Connection::earliest_deadline() const {
  auto earliest = never;
  for (const auto& pending : pending_) earliest = std::min(earliest, pending->deadline);
  return earliest;
}

Task<void> Connection::watch() {
  while (!ended_) {
    const auto deadline = earliest_deadline();
    if (deadline <= steady_clock::now()) {
      end("Redis does not answer in time");
      co_return;
    }
    const auto next_look = steady_clock::now() + watch_interval;
    co_await to_watch_.wait_until(deadline == never ? never : std::min(deadline, next_look));
  }
}

void Connection::end(std::string why) {
  if (ended_) return;
  ended_ = true;
  why_ended_ = std::move(why);
  stream_->close();
  for (const auto& pending : std::exchange(pending_, {})) {
    pending->failure = fmt::format("{}; what was on its way may have been done", why_ended_);
    pending->finished = true;
    pending->done.set();
  }
  commands_pending_ = 0;
  to_send_.set();
  to_watch_.set();
  end_.set();
}

Task<void> Connection::wait_for_end() {
  while (!ended_) co_await end_.wait_until(never);
}

Task<void> Connection::close() {
  end("the connection was closed");
  co_await tasks_.join_until(never);
}

}  // namespace switchyard::redis
