#include "service/health.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "http/json.hpp"

namespace switchyard::service {
namespace {

constexpr std::chrono::milliseconds answer_valid{500};
constexpr std::chrono::seconds check_max{2};

std::string_view word(bool passed) {
  return passed ? "pass" : "fail";
}

// Whether the Accept header names it, and not only to say that it is not wanted (RFC 9110, 12.4.2).
bool accepts_health_json(std::string_view accept) {
  for (std::string_view rest = accept; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto range = rest.substr(0, comma);
    const auto parameters = range.substr(std::min(range.find(';'), range.size()));
    const auto weight = parameters.find("q=");
    const bool unwanted = weight != std::string_view::npos &&
                          parameters.substr(weight + 2).find_first_not_of("0. ") == std::string_view::npos;
    if (range.find("application/health+json") != std::string_view::npos && !unwanted) return true;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return false;
}

std::string to_json(const std::vector<HealthCheck>& checks, bool passed) {
  std::string body = fmt::format(R"({{"status":"{}","checks":{{)", word(passed));
  for (const auto& check : checks) {
    if (&check != &checks.front()) body += ',';
    fmt::format_to(std::back_inserter(body), R"({}:[{{"status":"{}")", http::json_string(check.name),
                   check.passed && check.concern ? "warn" : word(check.passed));
    if (!check.output.empty())
      fmt::format_to(std::back_inserter(body), R"(,"output":{})", http::json_string(check.output));
    body += "}]";
  }
  return body + "}}";
}

}  // namespace

Task<http::Response> Health::handle(const http::Request& request) {
  const bool health_json = accepts_health_json(request.header("Accept"));
  Answer current{503, to_json({{"server:staying", false, "this server is about to stop"}}, false)};
  if (!request.draining) current = co_await answer();
  http::Response response;
  response.status = current.status;
  response.content_type = health_json ? "application/health+json" : "application/json";
  response.body = std::move(current.body);
  response.headers.emplace_back("Cache-Control", "no-store");
  response.to_probe = true;
  co_return response;
}

std::optional<Health::Answer> Health::answer_at_once() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now < valid_until_) return last_;
  if (!checking_since_) {
    checking_since_ = now;
    return std::nullopt;
  }
  const bool hangs = now - *checking_since_ > check_max || last_.status == 0;
  if (!hangs) return last_;
  return Answer{503, to_json({{"health:timely", false, "the checks have not finished yet"}}, false)};
}

Task<Health::Answer> Health::answer() {
  if (auto known = answer_at_once()) co_return std::move(*known);
  std::vector<HealthCheck> checks;
  try {
    checks = co_await checks_();
    if (others_) std::ranges::move(others_(), std::back_inserter(checks));
  } catch (...) {
    // The next who asks tries again.
    const std::lock_guard lock(mutex_);
    checking_since_.reset();
    throw;
  }
  const bool passed = std::ranges::all_of(checks, &HealthCheck::passed);
  Answer answer{passed ? 200U : 503U, to_json(checks, passed)};
  const std::lock_guard lock(mutex_);
  last_ = answer;
  valid_until_ = std::chrono::steady_clock::now() + answer_valid;
  checking_since_.reset();
  co_return answer;
}

}  // namespace switchyard::service
