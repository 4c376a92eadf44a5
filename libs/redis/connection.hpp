// One connection to one Redis server, with any number of commands on their way.
//
// Commands of all callers go out behind each other without waiting for replies, which come back in order. An
// error reply is a value. A reply that is late ends the connection, because those behind it would be late,
// too; when the connection ends, whatever is on its way fails as queue_unavailable: nobody knows what of it
// was done. A connection that has ended stays so; Client makes new ones. A blocking command, or a
// subscription, holds up what comes behind it: it needs a connection of its own.
//
// Replies are read by hiredis' parser; the rest is ours, because Debian 12's hiredis 0.14 knows neither Asio
// nor TLS.
//
// Belongs to the thread of its executor. close() before it is destroyed.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/task_group.hpp"
#include "redis/commands.hpp"
#include "redis/reply.hpp"
#include "redis/stream.hpp"

namespace switchyard::redis {

struct ConnectionLimits {
  ReplyLimits reply;
  // Commands whose reply is due, and bytes that wait to be sent; more is refused as overloaded.
  std::size_t commands_max = 200'000;
  std::size_t unsent_bytes_max = 64 * 1024 * 1024;
};

class Connection {
 public:
  // Gets what Redis sends without being asked: messages of a subscription.
  using OnMessage = std::function<void(Reply)>;

  Connection(Executor executor, std::unique_ptr<Stream> stream, ConnectionLimits limits = {},
             OnMessage on_message = {});
  ~Connection();

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The replies, in order: one for each command.
  Task<Result<std::vector<Reply>>> pipeline(Commands commands, Deadline deadline);
  // The reply to one command.
  Task<Result<Reply>> command(Commands one, Deadline deadline);
  // AUTH and SELECT as the URL says. An error reply is an error here.
  Task<Result<void>> introduce(Url url, Deadline deadline);

  bool has_ended() const { return ended_; }
  // Why; empty while it lasts.
  const std::string& why_ended() const { return why_ended_; }
  // Until it ends. For one caller.
  Task<void> wait_for_end();
  // Ends it: what is on its way fails with these words. The first end counts.
  void end(std::string why);
  // Ends it, and waits for its tasks. For one caller.
  Task<void> close();

  std::string local_address() const { return stream_->local_address(); }

 private:
  // Shared with the caller, whose coroutine may be cancelled before the replies are here.
  struct Pending {
    explicit Pending(Executor executor) : done(executor) {}
    Event done;
    bool finished = false;
    std::size_t expected = 0;
    std::vector<Reply> replies;
    Deadline deadline;
    std::string failure;
  };

  Task<void> read();
  Task<void> write();
  Task<void> watch();
  Result<void> deliver();
  Deadline earliest_deadline() const;

  Executor executor_;
  std::unique_ptr<Stream> stream_;
  const ConnectionLimits limits_;
  OnMessage on_message_;
  ReplyReader reader_;
  std::vector<char> input_;
  std::deque<std::shared_ptr<Pending>> pending_;
  std::size_t commands_pending_ = 0;
  std::string unsent_;
  std::string sending_;
  Event to_send_;
  Event to_watch_;
  Event end_;
  bool ended_ = false;
  std::string why_ended_;
  TaskGroup tasks_;
};

}  // namespace switchyard::redis
