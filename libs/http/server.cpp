#include "http/server.hpp"

#include <stdexcept>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include "base/id.hpp"
#include "http/problem.hpp"
#include "http/serialize.hpp"

namespace switchyard::http {
namespace {

using asio::ip::tcp;
using std::chrono::steady_clock;

// How late a deadline may be noticed.
constexpr std::chrono::milliseconds sweep_interval{250};
// When the process has no file descriptor left for a new connection.
constexpr std::chrono::milliseconds accept_pause{50};
constexpr int listen_backlog = 4096;

tcp::endpoint endpoint_of(const std::string& host, std::uint16_t port) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error)
    throw std::runtime_error(
        fmt::format("HTTP_HOST is '{}', and must be an IP address (for example HTTP_HOST=127.0.0.1)", host));
  return {address, port};
}

void send_and_forget(Socket socket, const Response& response) {
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  std::string text;
  append_response(text, response, Uuid::generate().to_string(), false, true);
  socket.write_some(asio::buffer(text), ignored);
  socket.shutdown(tcp::socket::shutdown_both, ignored);
}

}  // namespace

Server::Server(IoThreads& threads, Router router, Options options)
    : threads_(threads),
      router_(std::move(router)),
      options_(std::move(options)),
      acceptor_(threads.executor(0)) {
  const auto endpoint = endpoint_of(options_.host, options_.port);
  try {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen(listen_backlog);
    port_ = acceptor_.local_endpoint().port();
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(
        fmt::format("cannot listen on {}:{}: {}", options_.host, options_.port, error.code().message()));
  }
  for (std::size_t i = 0; i < threads_.size(); ++i)
    shards_.push_back(std::make_unique<Shard>(threads_.executor(i)));
}

Server::~Server() {
  if (started_) stop(steady_clock::now());
}

void Server::start() {
  started_ = true;
  for (auto& shard : shards_) {
    asio::post(shard->executor,
               [this, &shard = *shard] { shard.tasks.spawn([this, &shard] { return sweep(shard); }); });
  }
  asio::post(shards_.front()->executor,
             [this] { shards_.front()->tasks.spawn([this] { return accept(); }); });
}

Task<void> Server::accept() {
  for (std::size_t next = 0; acceptor_.is_open(); next = (next + 1) % shards_.size()) {
    auto& shard = *shards_[next];
    auto [error, socket] = co_await acceptor_.async_accept(shard.executor, use_tuple);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      SteadyTimer pause(shards_.front()->executor, accept_pause);
      co_await pause.async_wait(use_tuple);
      continue;
    }
    if (connections_ >= options_.limits.connections_max) {
      send_and_forget(std::move(socket), try_later(503, "Service overloaded", "too many connections", 1));
      continue;
    }
    ++connections_;
    asio::post(shard.executor, [this, &shard, socket = std::move(socket)]() mutable {
      const bool spawned = shard.tasks.spawn(
          [this, &shard, socket = std::move(socket)]() mutable { return serve(shard, std::move(socket)); });
      if (!spawned) --connections_;
    });
  }
}

Task<void> Server::serve(Shard& shard, Socket socket) {
  const auto connection = shard.connections.emplace(shard.connections.end(), std::move(socket), router_,
                                                    options_.limits, options_.on_exception);
  try {
    co_await connection->serve();
  } catch (const std::exception& error) {
    options_.on_exception(error.what());
  }
  shard.connections.erase(connection);
  --connections_;
}

Task<void> Server::sweep(Shard& shard) {
  while (!shard.stopping) {
    co_await shard.sweep_now.wait_until(steady_clock::now() + sweep_interval);
    const auto now = steady_clock::now();
    for (auto& connection : shard.connections) connection.enforce_deadline(now);
  }
}

Task<void> Server::begin_stop(Shard& shard) {
  shard.stopping = true;
  shard.sweep_now.set();
  shard.tasks.close();
  for (auto& connection : shard.connections) connection.stop();
  co_return;
}

Task<void> Server::cut_off(Shard& shard, steady_clock::time_point deadline) {
  if (co_await shard.tasks.join_until(deadline)) co_return;
  for (auto& connection : shard.connections) connection.abort();
}

void Server::stop(steady_clock::time_point deadline) {
  if (!std::exchange(started_, false)) return;
  threads_.run(0, [this]() -> Task<void> {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    co_return;
  });
  // Each step on all threads before the next one: or a request that hangs on the first thread would use up
  // the time of the others, which would go on serving meanwhile.
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    threads_.run(i, [this, i] { return begin_stop(*shards_[i]); });
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    threads_.run(i, [this, i, deadline] { return cut_off(*shards_[i], deadline); });
  }
  // What is left waits for the store, which answers each command.
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    threads_.run(i, [this, i] { return shards_[i]->tasks.join_until(steady_clock::time_point::max()); });
  }
}

}  // namespace switchyard::http
