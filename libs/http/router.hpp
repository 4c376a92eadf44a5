// Which handler serves a request: exact paths and patterns with one parameter ("/transaction/{id}").
//
// Built at start, then only read; safe to use from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.hpp"
#include "http/delivery.hpp"
#include "http/message.hpp"
#include "http/observer.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::http {

// Called on the thread of the connection, concurrently on several. The request lives until it is done.
using Handler = std::function<Task<Response>(Request&)>;

// Called after a handler, on the same thread; must not wait. May be empty.
using AfterHandler = std::function<void(const Request&, const Response&)>;

struct Route {
  Method method;
  std::string pattern;
  Handler handler;
  AfterHandler after;
  telemetry::RequestMetrics metrics;
};

class Router {
 public:
  // `service` labels the routes' metrics; what no route serves is counted as the route "none". `after` sees
  // what each handler has answered.
  Router(telemetry::Metrics& metrics, std::string service, AfterHandler after = {});

  // HEAD is served wherever GET is.
  void add(Method method, std::string pattern, Handler handler);

  // Takes over the other router's routes below a prefix such as "/auth", which its handlers do not see.
  void mount(std::string prefix, Router other);

  // Breaks responses as the hook says, if this is the router of a server: a mounted one is not asked.
  void break_responses(DeliveryHook hook) { delivery_of_ = std::move(hook); }
  Delivery delivery_of(const Response& response) const {
    return delivery_of_ ? delivery_of_(response) : Delivery::sent;
  }

  // Serves the request, answers OPTIONS itself (204 with Allow), or says 404 or 405 (with Allow). A 404 names
  // the right path if only the prefix of a mounted router is missing. An exception of a handler becomes a
  // 500.
  Task<Response> handle(Request request, const Observer& observer) const;

  telemetry::Metrics& metrics() const { return metrics_; }
  const std::string& service() const { return service_; }

  // "GET /health" for each route.
  std::vector<std::string> routes() const;

 private:
  struct Mount {
    std::string prefix;
    std::vector<Router> router;
  };
  struct Found {
    const Route* route = nullptr;
    std::string_view service;
    std::string_view path;
    std::string_view parameter;
    // Without a route: what the path serves; empty if there is nothing there.
    std::vector<Method> allowed;
  };

  Found find(Method method, std::string_view path) const;
  // Counts and tells.
  void note(const Request& request, const Response& response, const Found& found, const Observer& observer,
            std::chrono::steady_clock::time_point started) const;
  Response answer_unserved(const Request& request, const Found& found) const;
  std::vector<Method> all_methods() const;
  std::string hint(Method method, std::string_view path) const;

  telemetry::Metrics& metrics_;
  std::string service_;
  AfterHandler after_;
  DeliveryHook delivery_of_;
  telemetry::RequestMetrics unrouted_;
  std::vector<Route> routes_;
  std::vector<Mount> mounts_;
};

}  // namespace switchyard::http
