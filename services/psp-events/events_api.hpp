// psp-events: takes what PSPs say by themselves, in events of their webhooks, and stores it durably; a
// connector works it off.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "base/environment.hpp"
#include "base/io_threads.hpp"
#include "base/task_group.hpp"
#include "http/router.hpp"
#include "psp-events/event_accounts.hpp"
#include "service/health.hpp"
#include "store/store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"

namespace switchyard::events {

struct Settings {
  // ROUTING_FILE; empty: there is no account.
  std::string routing_file{};
  // Where the secrets are that the file names.
  Environment environment{};
};

Settings read_settings(const Environment& environment);

// Safe to use from any io thread. Everything it is given outlives it.
class EventsApi {
 public:
  // `on_work`: after each commit, a hint to the connector; may be empty, is called from any io thread and
  // does not wait. Throws ConfigError.
  EventsApi(Settings settings, store::Store& store, IoThreads& threads, telemetry::Metrics& metrics, Log& log,
            const Clock& clock, std::function<void()> on_work);
  ~EventsApi();

  http::Router router();
  service::Health& health() { return health_; }

 private:
  // Why a request is refused: what is counted, what its sender is told, and what the log says.
  struct Refusal {
    Result result;
    http::Response response;
    std::string reason;
  };

  Task<http::Response> take(http::Request& request);
  std::expected<store::PspEvents, Refusal> read(EventAccount& account, const http::Request& request) const;
  Refusal refuse(const Error& error);
  // Counts and tells.
  http::Response note(EventAccount& account, const http::Request& request, Refusal refusal);
  Task<std::vector<service::HealthCheck>> check_health();
  Task<void> watch_routing_file();

  store::Store& store_;
  IoThreads& threads_;
  telemetry::Metrics& metrics_;
  Log& log_;
  LogThrottle store_failures_;
  const Clock& clock_;
  const std::function<void()> on_work_;
  EventAccounts accounts_;
  service::Health health_;
  TaskGroup tasks_;
  Event stop_;
  bool stopping_ = false;
};

}  // namespace switchyard::events
