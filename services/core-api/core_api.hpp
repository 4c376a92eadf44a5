// core-api: takes transactions from merchants, stores them durably, and shows them.
#pragma once

#include <functional>
#include <optional>

#include "base/environment.hpp"
#include "base/io_threads.hpp"
#include "core-api/backlog.hpp"
#include "core-api/create_request.hpp"
#include "core-api/merchant_limits.hpp"
#include "http/router.hpp"
#include "service/health.hpp"
#include "service/refusal_log.hpp"
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
  MerchantLimits::Settings merchant;
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
  Task<http::Response> create(http::Request& request);
  // Only what is on disk is told.
  Task<Result<store::CreateResult>> store_and_tell(store::NewTransaction created);
  Task<http::Response> show(http::Request& request);
  Task<http::Response> list(http::Request& request);
  Task<std::vector<service::HealthCheck>> check_health();
  Task<void> watch_backlog();

  // What a POST /transaction asks for, of a merchant who is who he says he is.
  struct Asked {
    MerchantId merchant;
    RequestKey key;
    // Of the body; empty without a key.
    std::string fingerprint;
    // Or why it is refused if it is new: 403, 422.
    std::expected<Money, http::Response> money;
  };

  // The claims of a token that is genuine, or the 400 or 401. `body` is null where there is none. Says in the
  // request whose it is.
  std::expected<token::Claims, http::Response> identify(http::Request& request,
                                                        const boost::json::object* body) const;
  // The merchant of such a token that may transact; otherwise 403.
  std::expected<MerchantId, http::Response> authenticate(http::Request& request) const;
  std::expected<Asked, http::Response> read_asked(http::Request& request) const;
  store::NewTransaction make_transaction(Asked asked) const;
  http::Response replay(store::Replayed replayed);
  // The answer to a request whose key is known; nothing if it is new.
  Task<std::optional<http::Response>> find_replay(const Asked& asked);
  http::Response refuse(const Error& error);
  http::Response refuse(MerchantLimits::Refusal refusal);

  service::TokenSettings token_;
  const std::int64_t amount_max_;
  store::Store& store_;
  IoThreads& threads_;
  telemetry::Metrics& metrics_;
  Log& log_;
  LogThrottle store_failures_;
  service::RefusalLog refusals_;
  const Clock& clock_;
  const std::chrono::milliseconds requeue_delay_;
  const WorkQueue queue_;
  Backlog backlog_;
  MerchantLimits limits_;
  service::Health health_;
  prometheus::Counter& accepted_;
  prometheus::Histogram& commit_duration_;
  prometheus::Counter& replayed_;
  prometheus::Counter& limited_;
  TaskGroup tasks_;
  Event stop_;
  bool stopping_ = false;
};

}  // namespace switchyard::core
