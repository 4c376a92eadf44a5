// A request as a handler sees it, and the response it gives.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/verb.hpp>

namespace switchyard::http {

using Method = boost::beast::http::verb;

// Views into the connection's buffers: valid until the handler is done.
struct Request {
  Method method = Method::unknown;
  // Without the prefix of a mounted router.
  std::string_view path;
  // What follows the '?', not decoded.
  std::string_view query;
  const boost::beast::http::fields& headers;
  std::string_view body;
  // The client's X-Request-Id if it is sane, else one of ours.
  std::string_view request_id;
  // Who sent it: the connection's peer, or whom a trusted proxy names (TrustedProxies).
  boost::asio::ip::address remote_address;
  // What stood in the place of "{...}" of the route's pattern.
  std::string_view parameter;
  // The server is about to stop: who chooses between servers should choose another (Server::drain).
  bool draining = false;
  // Whose it is, said by its handler as soon as a genuine token or password has told: for logs.
  std::string merchant = {};

  std::string_view header(std::string_view name) const {
    const auto value = headers[boost::string_view(name.data(), name.size())];
    return {value.data(), value.size()};
  }
};

struct Response {
  unsigned status = 200;
  std::string_view content_type = "application/json";
  std::string body;
  // Beside Date, X-Request-Id, Connection and, unless the status is 204, Content-Type and Content-Length,
  // which every response carries.
  std::vector<std::pair<std::string_view, std::string>> headers;
  // Before it is sent; a quarter of a second more may pass. No client that leaves meanwhile is waited for.
  std::chrono::milliseconds delay{0};
  // Never sent. To one who chooses between servers, and says nothing of whether others still send requests
  // (Server::last_request).
  bool to_probe = false;

  Response&& with(std::string_view name, std::string value) && {
    headers.emplace_back(name, std::move(value));
    return std::move(*this);
  }
};

// The standard's phrase of a status ("Not Found").
std::string_view reason_phrase(unsigned status);

}  // namespace switchyard::http
