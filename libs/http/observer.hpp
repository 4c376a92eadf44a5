// What a server tells of the requests it serves, for logs.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "http/message.hpp"

namespace switchyard::http {

// Views are valid during the call.
struct Exchange {
  std::string_view request_id;
  // Whose route it is (Router), and the route's pattern. What no route serves, or is refused before its path
  // is looked at, is of the route "none".
  std::string_view service = "none";
  std::string_view route = "none";
  Method method = Method::unknown;
  unsigned status = 0;
  // From the whole request to the response, before that is written.
  std::chrono::steady_clock::duration took{};
  // Request::merchant.
  std::string_view merchant = {};
};

// Called on the threads of the connections, on several at once; must not wait.
struct Observer {
  // What a handler threw.
  std::function<void(std::string_view)> on_exception = [](std::string_view) {};
  // Each response. May be empty.
  std::function<void(const Exchange&)> on_response = {};
};

}  // namespace switchyard::http
