// core-api: takes transactions from merchants, stores them durably, and shows them.
#pragma once

#include <functional>

#include "base/environment.hpp"
#include "base/io_threads.hpp"
#include "core-api/backlog.hpp"
#include "http/router.hpp"
#include "service/health.hpp"
#include "service/settings.hpp"
#include "store/store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"

namespace switchyard::core {

struct Settings {
  service::TokenSettings token;
  // In minor units, of whatever currency.
  std::int64_t amount_max = 0;
  std::int64_t backlog_max = 0;
  // With a queue outside the store: when a new transaction is due in the store, if the queue lost it.
  std::chrono::milliseconds requeue_delay{0};
};

// Who is told of new transactions. Each may be empty; both are called from any io thread and do not wait.
struct WorkQueue {
  // After each commit of a new transaction: a hint that there is work.
  std::function<void(const payment::Transaction&)> on_accepted;
  // What is wrong with a queue outside the store, empty if nothing; not set if there is none.
  std::function<std::string()> trouble;
};

// Throws ConfigError.
Settings read_settings(const Environment& environment);

// Safe to use from any io thread. Everything it is given outlives it.
class CoreApi {
 public:
  CoreApi(Settings settings, store::Store& store, IoThreads& threads, telemetry::Metrics& metrics, Log& log,
          const Clock& clock, WorkQueue queue);
  ~CoreApi();

  http::Router router();
  service::Health& health() { return health_; }

 private:
  Task<http::Response> create(const http::Request& request);
  // Only what is on disk is told.
  Task<Result<store::CreateResult>> store_and_tell(store::NewTransaction created);
  Task<http::Response> show(const http::Request& request);
  Task<http::Response> list(const http::Request& request);
  Task<http::Response> show_openapi(const http::Request& request);
  Task<std::vector<service::HealthCheck>> check_health();
  Task<void> watch_backlog();

  // The merchant of a token that may transact, or the 401 or 403.
  std::expected<MerchantId, http::Response> authenticate(std::optional<std::string_view> token) const;
  // Reads and checks all of POST /transaction; what it gives only has to be stored.
  std::expected<store::NewTransaction, http::Response> read_created(const http::Request& request) const;
  http::Response refuse(const Error& error);

  service::TokenSettings token_;
  const std::int64_t amount_max_;
  store::Store& store_;
  IoThreads& threads_;
  telemetry::Metrics& metrics_;
  Log& log_;
  LogThrottle store_failures_;
  const Clock& clock_;
  const std::chrono::milliseconds requeue_delay_;
  const WorkQueue queue_;
  Backlog backlog_;
  service::Health health_;
  prometheus::Counter& accepted_;
  prometheus::Counter& replayed_;
  TaskGroup tasks_;
  Event stop_;
  bool stopping_ = false;
};

}  // namespace switchyard::core
