// GET /health: what a load balancer and an operator ask (draft-inadarei-api-health-check).
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "http/message.hpp"

namespace switchyard::service {

struct HealthCheck {
  // Such as "store:writable".
  std::string name;
  bool passed = false;
  // For the operator; empty when there is nothing to say.
  std::string output;
  // Passed, but somebody should look at it: "warn". Requests are served all the same.
  bool concern = false;
};

// Runs real checks, one at a time and at most once in half a second however often it is asked. Who asks
// meanwhile gets the last answer, or a failure when a check has been running for too long: then something
// hangs. Safe to use from any thread.
class Health {
 public:
  using Checks = std::function<Task<std::vector<HealthCheck>>()>;

  explicit Health(Checks checks) : checks_(std::move(checks)) {}

  // What others in this process have to say, behind the checks. They do not wait. Before the first question.
  using Others = std::function<std::vector<HealthCheck>()>;
  void add(Others others) { others_ = std::move(others); }

  // While the server is draining always 503 with "fail", whatever the checks would say, so that a load
  // balancer sends nothing more. Else 200 with "pass", 503 with "fail" if one check failed;
  // application/health+json if the client accepts it.
  Task<http::Response> handle(const http::Request& request);

 private:
  struct Answer {
    unsigned status = 0;
    std::string body;
  };

  Task<Answer> answer();
  // The answer without a check; nothing if it is time for one, which the caller then runs.
  std::optional<Answer> answer_at_once();

  Checks checks_;
  Others others_;
  std::mutex mutex_;
  Answer last_;
  std::chrono::steady_clock::time_point valid_until_{};
  // Set while a check runs.
  std::optional<std::chrono::steady_clock::time_point> checking_since_;
};

}  // namespace switchyard::service
