#include "core-api/core_api.hpp"

#include <array>
#include <charconv>

#include <boost/json/monotonic_resource.hpp>
#include <fmt/format.h>

#include "core-api/create_request.hpp"
#include "core-api/openapi.hpp"
#include "core-api/transaction_json.hpp"
#include "http/problem.hpp"
#include "service/request_body.hpp"

namespace switchyard::core {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds backlog_interval{1};
constexpr int retry_after_full_s = 5;
constexpr std::size_t page_limit_default = 50;
constexpr std::size_t page_limit_max = 100;

http::Response unauthorized(std::string_view error) {
  return http::problem(401, error)
      .with("WWW-Authenticate",
            fmt::format(R"(Bearer error="invalid_token", error_description="{}")", error));
}

http::Response backlog_is_full() {
  return http::try_later(503, "Backlog is full", "too many transactions are waiting; nothing was stored",
                         retry_after_full_s);
}

std::expected<store::TransactionFilter, http::Response> read_filter(std::string_view query) {
  const auto wrong = [](std::string_view error, std::string_view detail) {
    return std::unexpected(http::problem(422, error, detail));
  };
  store::TransactionFilter filter;
  filter.limit = page_limit_default;
  if (const auto text = http::query_parameter(query, "status"); !text.empty()) {
    filter.status = payment::parse_status(text);
    if (!filter.status)
      return wrong("Invalid status", "status must be a transaction status such as captured");
  }
  if (const auto text = http::query_parameter(query, "currency"); !text.empty()) {
    filter.currency = Currency::parse(text);
    if (!filter.currency)
      return wrong("Invalid currency code", "currency must be an ISO 4217 code such as USD");
  }
  if (const auto text = http::query_parameter(query, "limit"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), filter.limit);
    if (error != std::errc() || end != text.data() + text.size() || filter.limit < 1 ||
        filter.limit > page_limit_max) {
      return wrong("Invalid limit", "limit must be a whole number from 1 to 100");
    }
  }
  if (const auto text = http::query_parameter(query, "cursor"); !text.empty()) {
    const auto uuid = Uuid::parse(text);
    if (!uuid) return wrong("Invalid cursor", "cursor must be a next_cursor of this list");
    filter.before = TransactionId{*uuid};
  }
  return filter;
}

}  // namespace

Settings read_settings(const Environment& environment) {
  return {
      .token = service::read_token_settings(environment),
      .amount_max = service::read_amount_max(environment),
      .backlog_max = environment.integer("MAX_BACKLOG", 1'000'000, 1, 1'000'000'000),
      .requeue_delay = {},
  };
}

CoreApi::CoreApi(Settings settings, store::Store& store, IoThreads& threads, telemetry::Metrics& metrics,
                 Log& log, const Clock& clock, WorkQueue queue)
    : token_(std::move(settings.token)),
      amount_max_(settings.amount_max),
      store_(store),
      threads_(threads),
      metrics_(metrics),
      log_(log),
      clock_(clock),
      requeue_delay_(settings.requeue_delay),
      queue_(std::move(queue)),
      backlog_(store, metrics, settings.backlog_max),
      health_([this] { return check_health(); }),
      accepted_(
          metrics.counter("switchyard_transactions_accepted_total", "Transactions committed to the store.")),
      replayed_(metrics.counter("switchyard_idempotent_replays_total",
                                "Requests answered from an idempotency key.")),
      tasks_(threads.executor(0)),
      stop_(threads.executor(0)) {
  threads_.run(0, [this]() -> Task<void> {
    // Its failure is told by the first round of the watch.
    static_cast<void>(co_await backlog_.measure());
    tasks_.spawn([this] { return watch_backlog(); });
  });
}

CoreApi::~CoreApi() {
  threads_.run(0, [this]() -> Task<void> {
    stopping_ = true;
    stop_.set();
    co_await tasks_.join_until(steady_clock::time_point::max());
  });
}

Task<void> CoreApi::watch_backlog() {
  while (!stopping_) {
    co_await stop_.wait_until(steady_clock::now() + backlog_interval);
    if (const auto measured = co_await backlog_.measure(); !measured) {
      log_.warning(fmt::format("The backlog cannot be measured: {}", measured.error().detail));
    }
  }
}

http::Router CoreApi::router() {
  http::Router router(metrics_, "core-api");
  const auto add = [&router, this](http::Method method, std::string pattern, auto handler) {
    router.add(method, std::move(pattern),
               [this, handler](const http::Request& request) { return (this->*handler)(request); });
  };
  add(http::Method::post, "/transaction", &CoreApi::create);
  add(http::Method::get, "/transaction", &CoreApi::list);
  add(http::Method::get, "/transaction/{id}", &CoreApi::show);
  add(http::Method::get, "/openapi.json", &CoreApi::show_openapi);
  router.add(http::Method::get, "/health",
             [this](const http::Request& request) { return health_.handle(request); });
  return router;
}

std::expected<MerchantId, http::Response> CoreApi::authenticate(std::optional<std::string_view> token) const {
  if (!token || service::is_blank(*token)) return std::unexpected(unauthorized("Token is blank"));
  const auto claims = token_.jwt.verify(*token, clock_.now());
  if (!claims) return std::unexpected(unauthorized(claims.error().message()));
  if (!claims->enabled) return std::unexpected(http::problem(403, "User not enabled for transactions"));
  return claims->user_id;
}

http::Response CoreApi::refuse(const Error& error) {
  const bool failed =
      error.code == ErrorCode::store_unavailable || error.code == ErrorCode::store_outcome_unknown;
  if (failed && store_failures_.allow()) {
    log_.error(fmt::format("The store failed: {}", error.detail));
  }
  return http::problem(error);
}

std::expected<store::NewTransaction, http::Response> CoreApi::read_created(
    const http::Request& request) const {
  std::array<unsigned char, 4096> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  const auto body = service::read_json_object(request, &memory);
  if (!body) return std::unexpected(body.error());
  // First of all, so that no message or log line below can ever hold one.
  if (auto checked = refuse_card_numbers(*body); !checked) return std::unexpected(std::move(checked.error()));
  const auto body_token = service::text_member(*body, "token");
  const auto merchant = authenticate(body_token ? body_token : service::bearer_token(request));
  if (!merchant) return std::unexpected(merchant.error());
  const auto money = read_money(*body, amount_max_);
  if (!money) return std::unexpected(money.error());
  auto key = read_idempotency_key(request);
  if (!key) return std::unexpected(std::move(key.error()));

  const auto now = clock_.now();
  store::NewTransaction created{
      .transaction = {.id = {Uuid::generate()},
                      .merchant_id = *merchant,
                      .amount = *money,
                      .next_action_at = now + requeue_delay_,
                      .reason = {},
                      .created_at = now,
                      .updated_at = now},
      .idempotency_key = std::nullopt,
  };
  if (!key->empty()) {
    created.idempotency_key = {std::move(*key), fingerprint_of(*body), to_json(created.transaction)};
  }
  return created;
}

Task<Result<store::CreateResult>> CoreApi::store_and_tell(store::NewTransaction created) {
  const auto transaction = created.transaction;
  auto result = co_await store_.create_transaction(std::move(created));
  const bool is_new = result && std::holds_alternative<store::Created>(*result);
  if (is_new && queue_.on_accepted) queue_.on_accepted(transaction);
  co_return result;
}

Task<http::Response> CoreApi::create(const http::Request& request) {
  auto created = read_created(request);
  if (!created) co_return std::move(created.error());
  const bool full = !backlog_.has_room();
  if (full && !created->idempotency_key) co_return backlog_is_full();
  created->replay_only = full;
  http::Response response;
  response.body = to_json(created->transaction);
  auto id = created->transaction.id;

  const auto result = co_await store_and_tell(std::move(*created));
  if (!result) {
    const bool refused_as_full = full && result.error().code == ErrorCode::overloaded;
    co_return refused_as_full ? backlog_is_full() : refuse(result.error());
  }
  if (const auto* replayed = std::get_if<store::Replayed>(&*result)) {
    id = replayed->id;
    response.body = replayed->reply;
    response.headers.emplace_back("Idempotency-Replayed", "true");
    replayed_.Increment();
  } else {
    backlog_.add_one();
    accepted_.Increment();
  }
  // Relative (RFC 9110, 10.2.2), so that it is right behind a router that strips a prefix, too.
  response.headers.emplace_back("Location", "transaction/" + id.value.to_string());
  co_return response;
}

Task<http::Response> CoreApi::show(const http::Request& request) {
  const auto merchant = authenticate(service::bearer_token(request));
  if (!merchant) co_return merchant.error();
  const auto id = Uuid::parse(request.parameter);
  if (!id) co_return http::problem(404, "Not found", "there is no transaction with this id");
  const auto found = co_await store_.find_transaction(*merchant, TransactionId{*id});
  if (!found) co_return refuse(found.error());
  http::Response response;
  response.body = to_json(*found);
  co_return response;
}

Task<http::Response> CoreApi::list(const http::Request& request) {
  const auto merchant = authenticate(service::bearer_token(request));
  if (!merchant) co_return merchant.error();
  const auto filter = read_filter(request.query);
  if (!filter) co_return filter.error();
  const auto page = co_await store_.list_transactions(*merchant, *filter);
  if (!page) co_return refuse(page.error());
  http::Response response;
  response.body = to_json(*page);
  co_return response;
}

Task<http::Response> CoreApi::show_openapi(const http::Request&) {
  http::Response response;
  response.body = openapi_document;
  co_return response;
}

Task<std::vector<service::HealthCheck>> CoreApi::check_health() {
  const auto writable = co_await store_.check_writable(clock_.now());
  if (!writable && store_failures_.allow()) {
    log_.error(fmt::format("The store cannot be written: {}", writable.error().detail));
  }
  const bool has_room = backlog_.has_room();
  std::vector<service::HealthCheck> checks{
      {"store:writable", writable.has_value(), writable ? "" : "the store cannot be written; see the log"},
      {"queue:backlog", has_room, fmt::format("{} of {} transactions", backlog_.size(), backlog_.most())},
  };
  if (queue_.trouble) {
    // Never a failure: transactions are taken without it, and wait.
    auto trouble = queue_.trouble();
    const bool concern = !trouble.empty();
    checks.push_back({"queue:redis", true, std::move(trouble), concern});
  }
  co_return checks;
}

}  // namespace switchyard::core
