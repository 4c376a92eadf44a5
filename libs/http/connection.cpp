#include "http/connection.hpp"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/id.hpp"
#include "http/problem.hpp"
#include "http/serialize.hpp"
#include "http/target.hpp"
#include "money/card_number.hpp"

namespace switchyard::http {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t request_id_bytes_max = 128;
// Kept from one response to the next.
constexpr std::size_t output_kept_bytes = 4096;

// After a refusal the client may still be sending: what it sends is read and dropped for so long, or the
// reset would destroy the response before the client has read it (RFC 9112, 9.6).
constexpr std::chrono::milliseconds linger_max{2'000};
constexpr std::size_t linger_bytes_max = 4 * 1024 * 1024;

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= request_id_bytes_max && std::ranges::all_of(text, [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == ':';
  }) && !contains_card_number(text);
}

}  // namespace

Connection::Connection(Socket socket, const Router& router, const Limits& limits,
                       const TrustedProxies& trusted_proxies, BufferBudget& buffers, Drain& drain,
                       const Observer& observer)
    : socket_(std::move(socket)),
      router_(router),
      limits_(limits),
      trusted_proxies_(trusted_proxies),
      drain_(drain),
      observer_(observer),
      reader_(limits),
      buffers_(buffers) {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  if (const auto peer = socket_.remote_endpoint(ignored); !ignored) peer_ = peer.address();
  set_deadline(limits_.keep_alive);
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = steady_clock::now() + from_now;
}

void Connection::enforce_deadline(steady_clock::time_point now) {
  if (now < deadline_) return;
  timed_out_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Connection::stop() {
  stopping_ = true;
  boost::system::error_code ignored;
  if (reading_) socket_.cancel(ignored);
}

void Connection::abort() {
  stopping_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

Task<void> Connection::serve() {
  bool keep_alive = true;
  while (keep_alive && !stopping_) {
    Response response;
    const auto read = co_await read_request(response);
    if (read == ReadResult::closed) co_return;
    std::string request_id;
    if (read == ReadResult::refused) {
      co_await refuse(response);
      co_return;
    }
    response = co_await respond(request_id);
    if (!co_await deliver(response)) co_return;
    if (!response.to_probe) drain_.last_request = steady_clock::now();
    keep_alive = reader_.keep_alive() && !drain_.begun && !stopping_;
    const bool with_body = reader_.header().method() != Method::head;
    reader_.next();
    set_deadline(limits_.response);
    if (!co_await write(response, request_id, keep_alive, with_body)) co_return;
  }
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

// Of what is no request.
Task<void> Connection::refuse(Response& response) {
  reader_.drop();
  const auto request_id = Uuid::generate().to_string();
  if (observer_.on_response) observer_.on_response({.request_id = request_id, .status = response.status});
  co_await write(response, request_id, false, true);
  co_await linger();
}

Task<Connection::ReadResult> Connection::read_request(Response& refusal) {
  reading_ = true;
  idle_ = reader_.is_idle();
  set_deadline(idle_ ? limits_.keep_alive : limits_.request);
  for (;;) {
    if (idle_ && !reader_.is_idle()) {
      idle_ = false;
      set_deadline(limits_.request);
    }
    const auto progress = reader_.advance();
    if (progress == RequestReader::Progress::complete) {
      reading_ = false;
      co_return ReadResult::request;
    }
    if (progress == RequestReader::Progress::refused) {
      refusal = reader_.take_refusal();
      co_return ReadResult::refused;
    }
    if (progress == RequestReader::Progress::invite) {
      if (!co_await write_all("HTTP/1.1 100 Continue\r\n\r\n")) co_return ReadResult::closed;
    }
    if (!co_await read_some()) {
      if (over_budget_) {
        refusal = try_later(503, "Service overloaded", "too many requests are arriving: nothing was done", 1);
        co_return ReadResult::refused;
      }
      if (!timed_out_ || idle_) co_return ReadResult::closed;
      refusal = problem(408, "Request timeout", "the request did not arrive whole in time");
      co_return ReadResult::refused;
    }
  }
}

// False if the connection has ended, its time is up, or there is no memory left for what would come.
Task<bool> Connection::read_some() {
  auto& input = reader_.input();
  const auto room = input.prepare();
  over_budget_ = !count_buffers();
  if (over_budget_) co_return false;
  const auto [error, size] = co_await socket_.async_read_some(room, use_tuple);
  input.commit(size);
  co_return !error;
}

Task<Response> Connection::respond(std::string& request_id) {
  const auto& message = reader_.header();
  // No deadline of the connection while the handler works: handlers have their own.
  deadline_ = steady_clock::time_point::max();

  const auto given_id = message["X-Request-Id"];
  request_id = std::string_view(given_id.data(), given_id.size());
  if (!is_request_id(request_id)) request_id = Uuid::generate().to_string();

  const auto target = split_target({message.target().data(), message.target().size()});
  Request request{
      .method = message.method(),
      .path = target.path,
      .query = target.query,
      .headers = message,
      .body = reader_.body(),
      .request_id = request_id,
      .remote_address = trusted_proxies_.client(peer_, message),
      .parameter = {},
      .draining = drain_.begun,
  };
  co_return co_await router_.handle(request, observer_);
}

// Takes the response's body.
Task<bool> Connection::write(Response& response, std::string_view request_id, bool keep_alive,
                             bool with_body) {
  output_.clear();
  append_response(output_, response, request_id, keep_alive, with_body);
  std::string().swap(response.body);
  const bool written = co_await write_all(output_);
  if (output_.capacity() > output_kept_bytes) std::string().swap(output_);
  // Less than before.
  count_buffers();
  co_return written;
}

// False if all connections together hold too much.
bool Connection::count_buffers() {
  const auto output = output_.capacity();
  return buffers_.resize(reader_.extra_bytes() + (output > output_kept_bytes ? output : 0));
}

Task<bool> Connection::write_all(std::string_view bytes) {
  // Nearly always the socket takes it all at once, without a round through the event loop.
  boost::system::error_code error;
  while (!bytes.empty()) {
    std::size_t written = socket_.write_some(asio::buffer(bytes), error);
    if (error == asio::error::would_block) {
      // Nobody takes it.
      if (!count_buffers()) co_return false;
      std::tie(error, written) = co_await socket_.async_write_some(asio::buffer(bytes), use_tuple);
    }
    if (error) co_return false;
    bytes.remove_prefix(written);
  }
  co_return true;
}

Task<void> Connection::linger() {
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  timed_out_ = false;
  set_deadline(linger_max);
  auto& input = reader_.input();
  for (std::size_t dropped = 0; dropped < linger_bytes_max; dropped += input.size()) {
    input.consume(input.size());
    if (!co_await read_some()) co_return;
  }
}

// Waits, reading on so that a client that leaves is noticed: true if it is there at the end.
Task<bool> Connection::hold(std::chrono::milliseconds duration) {
  const auto input_bytes_max = limits_.header_bytes_max + limits_.body_bytes_max;
  set_deadline(duration);
  while (reader_.input().size() < input_bytes_max) {
    if (co_await read_some()) continue;
    const bool waited = timed_out_ && socket_.is_open();
    timed_out_ = false;
    co_return waited;
  }
  co_return false;
}

// True if the response is to be written.
Task<bool> Connection::deliver(const Response& response) {
  if (response.delay.count() > 0) {
    if (!co_await hold(response.delay)) co_return false;
  }
  const auto delivery = router_.delivery_of(response);
  if (delivery == Delivery::sent) co_return true;
  if (delivery == Delivery::reset) {
    boost::system::error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
    co_return false;
  }
  // Withheld: like an idle connection, it ends at once when the server stops.
  reading_ = true;
  if (!stopping_) co_await hold(limits_.keep_alive);
  co_return false;
}

}  // namespace switchyard::http
