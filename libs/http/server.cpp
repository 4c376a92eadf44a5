#include "http/server.hpp"

#include <algorithm>
#include <array>
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
// What is read of a client that is turned away.
constexpr int refused_reads_max = 4;

tcp::endpoint endpoint_of(const std::string& host, std::uint16_t port) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error)
    throw std::runtime_error(
        fmt::format("HTTP_HOST is '{}', and must be an IP address (for example HTTP_HOST=127.0.0.1)", host));
  return {address, port};
}

prometheus::Counter& refusals(const Router& router, const char* bound) {
  return router.metrics().counter("switchyard_http_connections_refused_total",
                                  "Connections turned away, by the bound that was reached.",
                                  {{"service", router.service()}, {"bound", bound}});
}

void send_and_forget(Socket socket, const Response& response) {
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  std::string text;
  append_response(text, response, Uuid::generate().to_string(), false, true);
  socket.write_some(asio::buffer(text), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
  // Closed with something unread, the connection would be reset, and the response perhaps lost. What has come
  // is read; for what comes later there is no time.
  std::array<char, 4096> dropped;
  boost::system::error_code error;
  for (int reads = 0; !error && reads < refused_reads_max; ++reads)
    socket.read_some(asio::buffer(dropped), error);
}

}  // namespace

Server::Server(IoThreads& threads, Router router, Options options)
    : threads_(threads),
      router_(std::move(router)),
      options_(std::move(options)),
      acceptor_(threads.executor(0)),
      admissions_(options_.limits),
      too_many_(refusals(router_, "all")),
      too_many_of_address_(refusals(router_, "address")) {
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
    tcp::endpoint peer;
    auto [error, socket] = co_await acceptor_.async_accept(shard.executor, peer, use_tuple);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      SteadyTimer pause(shards_.front()->executor, accept_pause);
      co_await pause.async_wait(use_tuple);
      continue;
    }
    auto admission = admissions_.admit(peer.address(), options_.trusted_proxies.contains(peer.address())
                                                           ? Admissions::Share::all
                                                           : Admissions::Share::of_one_client);
    if (const auto* refusal = std::get_if<Admissions::Refusal>(&admission)) {
      refuse(std::move(socket), *refusal);
      continue;
    }
    asio::post(shard.executor, [this, &shard, socket = std::move(socket),
                                ticket = std::get<Admissions::Ticket>(std::move(admission))]() mutable {
      shard.tasks.spawn([this, &shard, socket = std::move(socket), ticket = std::move(ticket)]() mutable {
        return serve(shard, std::move(socket), std::move(ticket));
      });
    });
  }
}

void Server::refuse(Socket socket, Admissions::Refusal refusal) {
  if (refusal == Admissions::Refusal::too_many) {
    too_many_.Increment();
    send_and_forget(std::move(socket), try_later(503, "Service overloaded", "too many connections", 1));
  } else {
    too_many_of_address_.Increment();
    send_and_forget(std::move(socket),
                    try_later(429, "Too many connections", "too many connections from this address", 1));
  }
}

// The ticket counts as long as the coroutine runs, longer than its connection.
Task<void> Server::serve(Shard& shard, Socket socket, Admissions::Ticket ticket) {
  const auto connection =
      shard.connections.emplace(shard.connections.end(), std::move(socket), router_, options_.limits,
                                options_.trusted_proxies, ticket.buffers(), shard.drain, options_.observer);
  try {
    co_await connection->serve();
  } catch (const std::exception& error) {
    options_.observer.on_exception(error.what());
  }
  shard.connections.erase(connection);
}

Task<void> Server::sweep(Shard& shard) {
  while (!shard.stopping) {
    co_await shard.sweep_now.wait_until(steady_clock::now() + sweep_interval);
    const auto now = steady_clock::now();
    for (auto& connection : shard.connections) connection.enforce_deadline(now);
  }
}

Task<void> Server::begin_drain(Shard& shard) {
  shard.drain = {.begun = true, .last_request = {}};
  co_return;
}

void Server::drain() {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    threads_.run(i, [this, i] { return begin_drain(*shards_[i]); });
  }
}

steady_clock::time_point Server::last_request() {
  steady_clock::time_point last{};
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    const auto of_shard = threads_.run(
        i, [this, i]() -> Task<steady_clock::time_point> { co_return shards_[i]->drain.last_request; });
    last = std::max(last, of_shard);
  }
  return last;
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
