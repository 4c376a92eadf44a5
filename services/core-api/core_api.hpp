// core-api: takes transactions, and what is asked for them afterwards, from merchants; stores them durably,
// and shows them.
#pragma once

#include <functional>
#include <optional>

#include "base/environment.hpp"
#include "base/io_threads.hpp"
#include "core-api/backlog.hpp"
#include "core-api/create_request.hpp"
#include "core-api/merchant_limits.hpp"
#include "core-api/waits.hpp"
#include "http/router.hpp"
#include "service/health.hpp"
#include "service/refusal_log.hpp"
#include "service/settings.hpp"
#include "store/store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"
#include "token/verified_tokens.hpp"

namespace switchyard::core {

struct Settings {
  service::TokenSettings token;
  // In minor units, of whatever currency.
  std::int64_t amount_max = 0;
  std::int64_t backlog_max = 0;
  MerchantLimits::Settings merchant;
};

// Who is told of new work. Each may be empty; all are called from any io thread and do not wait.
struct WorkQueue {
  // After the commit of a new transaction that is `queued`: a queue outside the store hands it out. Not set
  // if there is none.
  std::function<void(const payment::Transaction&)> on_queued;
  // After each other commit, a hint to the connector: the store has something to hand out.
  std::function<void()> on_work;
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

  // Before the server stops: requests that wait for a result are answered with what is known, in a moment.
  void end_waits() { waits_.stop(); }

 private:
  Task<http::Response> create(http::Request& request);
  Task<http::Response> operate(http::Request& request, payment::Kind kind, prometheus::Counter& accepted);
  // The customer is back: the PSP is asked now.
  Task<http::Response> confirm(http::Request& request);
  // Only what is on disk is told.
  Task<Result<store::Committed>> store_and_tell(store::Change change);
  Task<http::Response> show(http::Request& request);
  Task<http::Response> list(http::Request& request);
  Task<std::vector<service::HealthCheck>> check_health();
  Task<void> watch_backlog();

  // Who sends a request that moves money, and is who he says he is.
  struct Sender {
    MerchantId merchant;
    bool enabled = false;
    RequestKey key;
  };
  // What a POST /transaction asks for.
  struct AskedTransaction {
    MerchantId merchant;
    std::optional<store::IdempotencyKey> key;
    // RequestKey::former.
    std::string former_key;
    // Or why it is refused if it is new: 403, 422.
    std::expected<NewTransaction, http::Response> wanted;
  };
  // What a POST /transaction/{id}/... asks for.
  struct AskedOperation {
    // With the request's key.
    store::NamedWork::One transaction;
    std::expected<payment::Request, http::Response> wanted;
  };

  // What a POST /transaction/{id}/confirm asks for.
  struct AskedConfirmation {
    store::NamedWork::One transaction;
    // payment::Operation::brought_back.
    std::string brought_back;
  };

  // The claims of a token that is genuine, or the 400 or 401. `body` is null where there is none. Says in the
  // request whose it is.
  std::expected<token::Claims, http::Response> identify(http::Request& request,
                                                        const boost::json::object* body) const;
  // The merchant of such a token that may transact; otherwise 403.
  std::expected<MerchantId, http::Response> authenticate(http::Request& request) const;
  std::expected<Sender, http::Response> read_sender(http::Request& request,
                                                    const boost::json::object& body) const;
  std::expected<AskedTransaction, http::Response> read_transaction(http::Request& request) const;
  std::expected<AskedOperation, http::Response> read_operation_of(http::Request& request,
                                                                  payment::Kind kind) const;
  std::expected<AskedConfirmation, http::Response> read_confirmation(http::Request& request) const;
  store::Change make_transaction(AskedTransaction asked) const;
  http::Response replay(store::Replayed replayed);
  Task<store::Taken> add_operation(AskedOperation asked);
  // What the first request with this key was answered; nothing if it is new. `former`: RequestKey::former.
  Task<Result<std::optional<store::Replayed>>> find_first(MerchantId merchant, store::IdempotencyKey key,
                                                          std::string former);
  // The transaction once it has a result, or its operation of this number (0: none), or as it is when the
  // time is up; nothing if too many wait, or it cannot be read.
  Task<std::optional<payment::State>> wait_for_result(MerchantId merchant, TransactionId id,
                                                      std::int32_t operation, std::chrono::seconds longest);
  http::Response refuse(const Error& error);
  http::Response refuse(MerchantLimits::Refusal refusal);

  const token::VerifiedTokens tokens_;
  const std::int64_t amount_max_;
  store::Store& store_;
  IoThreads& threads_;
  telemetry::Metrics& metrics_;
  Log& log_;
  LogThrottle store_failures_;
  service::RefusalLog refusals_;
  const Clock& clock_;
  const WorkQueue queue_;
  Backlog backlog_;
  MerchantLimits limits_;
  Waits waits_;
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
