#include "http/router.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "http/problem.hpp"

namespace switchyard::http {
namespace {

// The parameter of a path that fits the pattern; empty view for a pattern without one.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const auto open = pattern.find('{');
  if (open == std::string_view::npos)
    return pattern == path ? std::optional(std::string_view{}) : std::nullopt;
  const auto tail = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= open + tail.size() || !path.starts_with(pattern.substr(0, open)) ||
      !path.ends_with(tail)) {
    return std::nullopt;
  }
  const auto parameter = path.substr(open, path.size() - open - tail.size());
  return parameter.find('/') == std::string_view::npos ? std::optional(parameter) : std::nullopt;
}

std::string_view name_of(Method method) {
  const auto name = boost::beast::http::to_string(method);
  return {name.data(), name.size()};
}

// HEAD comes with GET, and OPTIONS with anything.
void add_to(std::vector<Method>& methods, Method method) {
  if (std::ranges::find(methods, method) != methods.end()) return;
  methods.push_back(method);
  if (method == Method::get) add_to(methods, Method::head);
}

std::string allow_header(std::vector<Method> methods) {
  add_to(methods, Method::options);
  std::string text;
  for (const auto method : methods)
    fmt::format_to(std::back_inserter(text), "{}{}", text.empty() ? "" : ", ", name_of(method));
  return text;
}

}  // namespace

Router::Router(telemetry::Metrics& metrics, std::string service, AfterHandler after)
    : metrics_(metrics),
      service_(std::move(service)),
      after_(std::move(after)),
      unrouted_(metrics.for_route(service_, "any", "none")) {}

void Router::add(Method method, std::string pattern, Handler handler) {
  auto metrics = metrics_.for_route(service_, std::string(name_of(method)), pattern);
  routes_.push_back({method, std::move(pattern), std::move(handler), after_, std::move(metrics)});
}

void Router::mount(std::string prefix, Router other) {
  mounts_.push_back({std::move(prefix), {}});
  mounts_.back().router.push_back(std::move(other));
}

Router::Found Router::find(Method method, std::string_view path) const {
  for (const auto& mount : mounts_) {
    if (path.starts_with(mount.prefix) && path.substr(mount.prefix.size()).starts_with('/')) {
      return mount.router.front().find(method, path.substr(mount.prefix.size()));
    }
  }
  Found found;
  const auto wanted = method == Method::head ? Method::get : method;
  for (const auto& route : routes_) {
    const auto parameter = match(route.pattern, path);
    if (!parameter) continue;
    if (route.method == wanted) return {&route, service_, path, *parameter, {}};
    add_to(found.allowed, route.method);
  }
  return found;
}

Response Router::answer_unserved(const Request& request, const Found& found) const {
  const bool asks = request.method == Method::options;
  const auto& methods = asks && request.path == "*" ? all_methods() : found.allowed;
  if (methods.empty()) {
    auto detail = "there is nothing at this path" + hint(request.method, request.path);
    if (request.path.size() > 1 && request.path.ends_with('/'))
      detail += "; try it without the slash at the end";
    return problem(404, "Not found", detail);
  }
  auto allow = allow_header(methods);
  if (!asks) return problem(405, "Method not allowed", "this path serves: " + allow).with("Allow", allow);
  Response response;
  response.status = 204;
  return std::move(response).with("Allow", std::move(allow));
}

std::vector<Method> Router::all_methods() const {
  std::vector<Method> methods;
  for (const auto& route : routes_) add_to(methods, route.method);
  for (const auto& mount : mounts_) {
    for (const auto method : mount.router.front().all_methods()) add_to(methods, method);
  }
  return methods;
}

// Of our own words only: a path may hold anything.
std::string Router::hint(Method method, std::string_view path) const {
  const auto wanted = method == Method::head ? Method::get : method;
  std::string hint;
  for (const auto& mount : mounts_) {
    for (const auto& route : mount.router.front().routes_) {
      if (route.method != wanted || !match(route.pattern, path)) continue;
      hint += (hint.empty() ? "; did you mean " : " or ") + mount.prefix + route.pattern;
      break;
    }
  }
  return hint.empty() ? hint : hint + "?";
}

void Router::note(const Request& request, const Response& response, const Found& found,
                  const Observer& observer, std::chrono::steady_clock::time_point started) const {
  const auto took = std::chrono::steady_clock::now() - started;
  (found.route == nullptr ? unrouted_ : found.route->metrics).observe(response.status, took);
  if (!observer.on_response) return;
  Exchange exchange{.request_id = request.request_id,
                    .method = request.method,
                    .status = response.status,
                    .took = took,
                    .merchant = request.merchant};
  if (found.route != nullptr) {
    exchange.service = found.service;
    exchange.route = found.route->pattern;
  }
  observer.on_response(exchange);
}

Task<Response> Router::handle(Request request, const Observer& observer) const {
  const auto started = std::chrono::steady_clock::now();
  const auto found = find(request.method, request.path);
  if (found.route == nullptr) {
    auto response = answer_unserved(request, found);
    note(request, response, found, observer, started);
    co_return response;
  }
  request.path = found.path;
  request.parameter = found.parameter;

  std::optional<Response> response;
  try {
    response = co_await found.route->handler(request);
    if (found.route->after) found.route->after(request, *response);
  } catch (const std::exception& error) {
    observer.on_exception(
        fmt::format("{} (request {}): {}", found.route->pattern, request.request_id, error.what()));
    response =
        problem(500, "Internal server error",
                "the request failed for a reason of ours, which is in the log under this request's id");
  }
  note(request, *response, found, observer, started);
  co_return std::move(*response);
}

std::vector<std::string> Router::routes() const {
  std::vector<std::string> names;
  names.reserve(routes_.size());
  for (const auto& route : routes_) {
    names.push_back(fmt::format("{} {}", name_of(route.method), route.pattern));
  }
  for (const auto& mount : mounts_) {
    for (const auto& name : mount.router.front().routes()) {
      const auto space = name.find(' ');
      names.push_back(name.substr(0, space + 1) + mount.prefix + name.substr(space + 1));
    }
  }
  return names;
}

}  // namespace switchyard::http
