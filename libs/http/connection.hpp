// One client connection: reads requests (HTTP/1.1, RFC 9112), has them served, writes the responses.
//
// Belongs to one thread. Everything is bounded: header and body size by the limits, what all connections hold
// together by the budget, time by `deadline`, which the server's sweep enforces (one coarse timer for all
// connections instead of one for each read). Between requests a connection keeps a few KiB at most.
#pragma once

#include <chrono>
#include <string>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/task.hpp"
#include "http/buffer_budget.hpp"
#include "http/limits.hpp"
#include "http/request_reader.hpp"
#include "http/router.hpp"
#include "http/trusted_proxies.hpp"

namespace switchyard::http {

using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

// What the connections of one thread know of the end of their server.
struct Drain {
  // Each response ends its connection.
  bool begun = false;
  // When a response was last written, but to a probe.
  std::chrono::steady_clock::time_point last_request{};
};

class Connection {
 public:
  // What it is given outlives it.
  Connection(Socket socket, const Router& router, const Limits& limits, const TrustedProxies& trusted_proxies,
             BufferBudget& buffers, Drain& drain, const Observer& observer);

  // Until the client leaves, breaks the protocol or a bound, or the server stops.
  Task<void> serve();

  // Ends the connection if its time is up: called now and then on its thread.
  void enforce_deadline(std::chrono::steady_clock::time_point now);

  // A connection without a whole request ends at once, a busy one after its response.
  void stop();
  // Whatever it is doing.
  void abort();

 private:
  enum class ReadResult { request, closed, refused };

  Task<ReadResult> read_request(Response& refusal);
  Task<bool> read_some();
  Task<Response> respond(std::string& request_id);
  Task<void> refuse(Response& response);
  Task<bool> write(Response& response, std::string_view request_id, bool keep_alive, bool with_body);
  Task<bool> write_all(std::string_view bytes);
  Task<void> linger();
  Task<bool> hold(std::chrono::milliseconds duration);
  Task<bool> deliver(const Response& response);
  bool count_buffers();
  void set_deadline(std::chrono::milliseconds from_now);

  Socket socket_;
  asio::ip::address peer_;
  const Router& router_;
  const Limits& limits_;
  const TrustedProxies& trusted_proxies_;
  Drain& drain_;
  const Observer& observer_;
  RequestReader reader_;
  BufferBudget::Share buffers_;
  std::string output_;
  std::chrono::steady_clock::time_point deadline_;
  bool idle_ = true;
  bool reading_ = true;
  bool stopping_ = false;
  bool timed_out_ = false;
  bool over_budget_ = false;
};

}  // namespace switchyard::http
