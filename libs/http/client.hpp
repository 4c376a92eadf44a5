// A blocking HTTP client for command-line tools: one request, bounded in time and size, no redirects.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.hpp"

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

// Why the request must not be sent, in words that do not repeat it, for it may hold a secret: a method that
// is none, an address with a blank or a control character, a header that is not "Name: value" or holds a
// control character. Such a one would be another request than was meant, or several. Empty if nothing is
// wrong.
std::string problem_of(const ClientRequest& request);

// Errors: invalid_argument when the request must not be sent, or the server cannot be reached or does not
// answer; the detail says why. Blocks.
Result<ClientResponse> send(const ClientRequest& request);

}  // namespace switchyard::http
