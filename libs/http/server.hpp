// An HTTP server on one address: accepts on the first io thread and deals the connections out to all of them
// in turn, so that each thread has the same share and a port in use is an error instead of being shared.
//
// Used from main(); what it runs lives on the io threads.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/io_threads.hpp"
#include "base/task_group.hpp"
#include "http/admissions.hpp"
#include "http/connection.hpp"
#include "http/limits.hpp"
#include "http/router.hpp"
#include "http/trusted_proxies.hpp"

namespace switchyard::http {

class Server {
 public:
  struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    Limits limits;
    // Each of them has as many connections as there are: it stands for many clients.
    TrustedProxies trusted_proxies = {};
    Observer observer = {};
  };

  // Binds and listens: from here on clients can connect, and are served once start() was called. Throws
  // std::runtime_error that names the address if it cannot be had. `threads` outlives the server.
  Server(IoThreads& threads, Router router, Options options);
  ~Server();

  void start();

  // The one that the system chose if the options say 0.
  std::uint16_t port() const { return port_; }

  // Before a stop, while others learn of it: all is served as before, new connections too, but each response
  // ends its connection, and requests say that the server is draining.
  void drain();

  // While it drains: when a request was last answered, but a probe's (Response::to_probe); the epoch if none
  // was. Who sent one a moment ago has not learnt yet that this server is leaving. Blocks for a moment.
  std::chrono::steady_clock::time_point last_request();

  // Stops accepting, lets the requests under way finish until the deadline, then cuts them off. Blocks.
  void stop(std::chrono::steady_clock::time_point deadline);

 private:
  // The connections of one io thread.
  struct Shard {
    Shard(Executor executor) : executor(executor), tasks(executor), sweep_now(executor) {}

    Executor executor;
    TaskGroup tasks;
    Event sweep_now;
    Drain drain;
    std::list<Connection> connections;
    bool stopping = false;
  };

  Task<void> accept();
  void refuse(Socket socket, Admissions::Refusal refusal);
  Task<void> serve(Shard& shard, Socket socket, Admissions::Ticket ticket);
  Task<void> sweep(Shard& shard);
  Task<void> begin_drain(Shard& shard);
  Task<void> begin_stop(Shard& shard);
  Task<void> cut_off(Shard& shard, std::chrono::steady_clock::time_point deadline);

  IoThreads& threads_;
  Router router_;
  Options options_;
  asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::uint16_t port_ = 0;
  Admissions admissions_;
  prometheus::Counter& too_many_;
  prometheus::Counter& too_many_of_address_;
  bool started_ = false;
};

}  // namespace switchyard::http
