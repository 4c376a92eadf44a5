// A blocking HTTP client for command-line tools: one request, bounded in time and size, no redirects.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace switchyard::http {

struct ClientRequest {
  std::string method = "GET";
  std::string url;
  std::string body;
  // Whole lines such as "Authorization: Bearer ...".
  std::vector<std::string> headers;
  std::chrono::milliseconds timeout{10'000};
};

struct ClientResponse {
  long status = 0;
  std::string body;
  // Lines such as "Content-Type: text/html", in order. AsyncClient keeps them, send() does not.
  std::vector<std::string> headers{};
};

// What a call failed by, for who says it in words of their own.
enum class CallTrouble : std::uint8_t {
  other,
  name_not_found,
  not_connected,  // refused, or no way there
  tls,            // not spoken, or by nobody whose certificate can be trusted
  out_of_time,
  too_large,  // the answer
};

struct CallFailure {
  // False only if no byte of the request can have left: it must not be sent (problem_of), name not found,
  // connection refused, TLS refused, or out of time before there was a connection. Anything else is true: a
  // request that could have arrived.
  bool perhaps_sent = true;
  // For the log; of AsyncClient never the URL, which may hold a password.
  std::string reason;
  CallTrouble trouble = CallTrouble::other;
};

using CallResult = std::expected<ClientResponse, CallFailure>;

// Why the request must not be sent, in words that do not repeat it, for it may hold a secret: a method that
// is none, an address with a blank or a control character, a header that is not "Name: value" or holds a
// control character. Such a one would be another request than was meant, or several. Empty if nothing is
// wrong.
std::string problem_of(const ClientRequest& request);

// Blocks.
CallResult send(const ClientRequest& request);

}  // namespace switchyard::http
