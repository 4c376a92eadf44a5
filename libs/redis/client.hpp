// A Redis server that one keeps using although connections to it come and go.
//
// From start() to stop() it keeps one connection open: after a loss it connects again, with growing pauses,
// and asks the sentinels anew if there are any. While there is none, commands are refused at once as
// queue_unavailable. The log tells each loss and each return once.
//
// Belongs to the thread of its executor. stop() before it is destroyed.
#pragma once

#include <functional>
#include <optional>

#include "redis/connection.hpp"

namespace switchyard::redis {

class Client {
 public:
  struct Callbacks {
    // Each new connection, before others may use it, such as for a subscription. An error ends it.
    std::function<Task<Result<void>>(Connection&)> on_connected;
    Connection::OnMessage on_message;
    // For the log.
    std::function<void(const Error&)> on_lost;
    std::function<void()> on_ready;
  };

  Client(Executor executor, Url url, Callbacks callbacks = {}, ConnectionLimits limits = {});
  ~Client();

  void start();
  Task<void> stop();

  // A connection is there and was introduced.
  bool is_ready() const { return ready_; }
  // Counts the connections that became ready.
  std::int64_t generation() const { return generation_; }
  std::string local_address() const { return ready_ ? connection_->local_address() : std::string(); }

  // Error, queue_unavailable: there is no connection, and nothing was sent; or it was lost, and nobody knows.
  Task<Result<std::vector<Reply>>> pipeline(Commands commands, Deadline deadline);
  Task<Result<Reply>> command(Commands one, Deadline deadline);

 private:
  Task<void> keep_connected();
  Task<Result<void>> use_one_connection();
  Task<Result<std::unique_ptr<Stream>>> reach();
  Task<Result<void>> prepare();

  Executor executor_;
  const Url url_;
  const Callbacks callbacks_;
  const ConnectionLimits limits_;
  std::shared_ptr<Connection> connection_;
  bool ready_ = false;
  bool stopping_ = false;
  bool told_ = false;
  std::int64_t generation_ = 0;
  std::string why_not_ready_ = "Redis is not connected yet";
  Event stop_;
  TaskGroup tasks_;
};

}  // namespace switchyard::redis
