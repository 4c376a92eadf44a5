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
};

// Errors: invalid_argument when the server cannot be reached or does not answer; the detail says why. Blocks.
Result<ClientResponse> send(const ClientRequest& request);

}  // namespace switchyard::http
