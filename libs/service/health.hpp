// GET /health: what a load balancer and an operator ask (draft-inadarei-api-health-check).
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
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
};

// Runs real checks, at most once in half a second however often it is asked. Safe to use from any thread.
class Health {
 public:
  using Checks = std::function<Task<std::vector<HealthCheck>>()>;

  explicit Health(Checks checks) : checks_(std::move(checks)) {}

  // 200 with "pass", 503 with "fail" if one check failed; application/health+json if the client accepts it.
  Task<http::Response> handle(const http::Request& request);

 private:
  struct Answer {
    unsigned status = 0;
    std::string body;
  };

  Task<Answer> answer();

  Checks checks_;
  std::mutex mutex_;
  Answer last_;
  std::chrono::steady_clock::time_point valid_until_{};
};

}  // namespace switchyard::service
