#include "core-api/core_api.hpp"

#include <array>
#include <string>

#include <boost/json/monotonic_resource.hpp>
#include <fmt/format.h>

#include "core-api/create_request.hpp"
#include "core-api/list_request.hpp"
#include "core-api/openapi.hpp"
#include "core-api/read_token.hpp"
#include "core-api/transaction_json.hpp"
#include "http/problem.hpp"
#include "service/request_body.hpp"

namespace switchyard::core {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds backlog_interval{1};
constexpr int retry_after_full_s = 5;
// A refusal costs an io thread nearly as much as a payment. Who sends on at once on many connections,
// whatever Retry-After says, gets no more of them than this allows.
constexpr std::chrono::milliseconds refusal_delay{250};

http::Response not_enabled() {
  return http::problem(403, "User not enabled for transactions");
}

// A 200 that points at the transaction.
http::Response with_location(TransactionId id, std::string body) {
  http::Response response;
  response.body = std::move(body);
  // Relative (RFC 9110, 10.2.2), so that it is right behind a router that strips a prefix, too.
  response.headers.emplace_back("Location", "transaction/" + id.value.to_string());
  return response;
}

Task<http::Response> show_openapi(const http::Request&) {
  http::Response response;
  response.body = openapi_document;
  co_return response;
}

http::Response backlog_is_full() {
  return http::try_later(
      503, "Backlog is full",
      "too many transactions are waiting, or too many of this merchant's; nothing was stored",
      retry_after_full_s);
}

}  // namespace

Settings read_settings(const Environment& environment) {
  return {
      .token = service::read_token_settings(environment),
      .amount_max = service::read_amount_max(environment),
      .backlog_max = environment.integer("MAX_BACKLOG", 1'000'000, 1, 1'000'000'000),
      .merchant = {.per_second_max = environment.integer("MERCHANT_RATE", 0, 0, 1'000'000),
                   .at_once_max = environment.integer("MERCHANT_REQUESTS", 256, 1, 1'000'000)},
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
      refusals_(log),
      clock_(clock),
      requeue_delay_(settings.requeue_delay),
      queue_(std::move(queue)),
      backlog_(store, metrics, settings.backlog_max),
      limits_(settings.merchant),
      health_([this] { return check_health(); }),
      accepted_(
          metrics.counter("switchyard_transactions_accepted_total", "Transactions committed to the store.")),
      commit_duration_(metrics.histogram("switchyard_store_commit_duration_seconds",
                                         "From a new transaction given to the store to its commit.")),
      replayed_(metrics.counter("switchyard_idempotent_replays_total",
                                "Requests answered from an idempotency key.")),
      limited_(metrics.counter("switchyard_merchant_limited_total",
                               "Requests refused because their merchant sends too many.")),
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
  http::Router router(metrics_, "core-api",
                      [this](const http::Request& request, const http::Response& response) {
                        refusals_.add(request, response, {}, steady_clock::now());
                      });
  router.add(http::Method::post, "/transaction", [this](http::Request& request) { return create(request); });
  router.add(http::Method::get, "/transaction", [this](http::Request& request) { return list(request); });
  router.add(http::Method::get, "/transaction/{id}",
             [this](http::Request& request) { return show(request); });
  router.add(http::Method::get, "/openapi.json", show_openapi);
  router.add(http::Method::get, "/health",
             [this](const http::Request& request) { return health_.handle(request); });
  return router;
}

std::expected<token::Claims, http::Response> CoreApi::identify(http::Request& request,
                                                               const boost::json::object* body) const {
  const auto token = read_token(request, body);
  if (!token) return std::unexpected(token.error());
  auto claims = token_.jwt.verify(*token, clock_.now());
  if (!claims) return std::unexpected(unauthorized(claims.error().message(), claims.error().message()));
  request.merchant = std::to_string(claims->user_id.value);
  return std::move(*claims);
}

std::expected<MerchantId, http::Response> CoreApi::authenticate(http::Request& request) const {
  const auto claims = identify(request, nullptr);
  if (!claims) return std::unexpected(claims.error());
  if (!claims->enabled) return std::unexpected(not_enabled());
  return claims->user_id;
}

http::Response CoreApi::refuse(const Error& error) {
  const bool failed =
      error.code == ErrorCode::store_unavailable || error.code == ErrorCode::store_outcome_unknown;
  if (failed && store_failures_.allow()) {
    log_.error(fmt::format("The store failed: {}", error.detail));
  }
  auto response = http::problem(error);
  if (error.code == ErrorCode::overloaded) response.delay = refusal_delay;
  return response;
}

http::Response CoreApi::refuse(MerchantLimits::Refusal refusal) {
  limited_.Increment();
  // draft-ietf-httpapi-ratelimit-headers: names, quotas and units are its own.
  if (refusal == MerchantLimits::Refusal::too_fast) {
    const auto most = limits_.settings().per_second_max;
    return http::try_later(
               429, "Too many transactions",
               fmt::format("a merchant may send {} transactions a second; this request did nothing", most), 1)
        .with("RateLimit-Policy", fmt::format(R"("per-second";q={};w=1)", most))
        .with("RateLimit", R"("per-second";r=0;t=1)");
  }
  const auto most = limits_.settings().at_once_max;
  auto response =
      http::try_later(
          429, "Too many requests at once",
          fmt::format("a merchant may have {} requests under way; this request did nothing", most), 1)
          .with("RateLimit-Policy", fmt::format(R"("at-once";q={};qu="concurrent-requests")", most))
          .with("RateLimit", R"("at-once";r=0)");
  response.delay = refusal_delay;
  return response;
}

std::expected<CoreApi::Asked, http::Response> CoreApi::read_asked(http::Request& request) const {
  std::array<unsigned char, 4096> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  const auto body = service::read_json_object(request, &memory);
  if (!body) return std::unexpected(body.error());
  // First of all, so that no message or log line below can ever hold one.
  if (auto checked = refuse_card_numbers(*body); !checked) return std::unexpected(std::move(checked.error()));
  const auto claims = identify(request, &*body);
  if (!claims) return std::unexpected(claims.error());
  auto key = read_idempotency_key(request);
  if (!key) return std::unexpected(std::move(key.error()));

  auto fingerprint = key->key.empty() ? std::string() : fingerprint_of(*body);
  auto money = claims->enabled ? read_new_transaction(*body, request.query, amount_max_)
                               : std::unexpected(not_enabled());
  return Asked{claims->user_id, std::move(*key), std::move(fingerprint), std::move(money)};
}

store::NewTransaction CoreApi::make_transaction(Asked asked) const {
  const auto now = clock_.now();
  store::NewTransaction created{
      .transaction = {.id = {Uuid::generate()},
                      .merchant_id = asked.merchant,
                      .amount = *asked.money,
                      .next_action_at = now + requeue_delay_,
                      .reason = {},
                      .created_at = now,
                      .updated_at = now},
      .idempotency_key = std::nullopt,
  };
  if (!asked.key.key.empty()) {
    created.idempotency_key = {std::move(asked.key.key), std::move(asked.fingerprint),
                               to_json(created.transaction)};
  }
  return created;
}

Task<Result<store::CreateResult>> CoreApi::store_and_tell(store::NewTransaction created) {
  const auto transaction = created.transaction;
  const auto given_at = steady_clock::now();
  auto result = co_await store_.create_transaction(std::move(created));
  const bool is_new = result && std::holds_alternative<store::Created>(*result);
  if (is_new) commit_duration_.Observe(std::chrono::duration<double>(steady_clock::now() - given_at).count());
  if (is_new && queue_.on_accepted) queue_.on_accepted(transaction);
  co_return result;
}

http::Response CoreApi::replay(store::Replayed replayed) {
  replayed_.Increment();
  auto response = with_location(replayed.id, std::move(replayed.reply));
  response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

Task<std::optional<http::Response>> CoreApi::find_replay(const Asked& asked) {
  if (!asked.key.former.empty()) {
    auto former = co_await store_.find_reply(asked.merchant, asked.key.former, asked.fingerprint);
    if (former && *former) co_return replay(std::move(**former));
    // Another request's key is only another key that is read alike.
    const bool of_another =
        !former && former.error().code == ErrorCode::idempotency_key_reused_with_different_body;
    if (!former && !of_another) co_return refuse(former.error());
  }
  auto earlier = co_await store_.find_reply(asked.merchant, asked.key.key, asked.fingerprint);
  if (!earlier) co_return refuse(earlier.error());
  if (!*earlier) co_return std::nullopt;
  co_return replay(std::move(**earlier));
}

Task<http::Response> CoreApi::create(http::Request& request) {
  auto asked = read_asked(request);
  if (!asked) co_return std::move(asked.error());
  auto turn = limits_.enter(asked->merchant, steady_clock::now());
  if (!turn) co_return refuse(turn.error());
  if (!*turn) turn->emplace(co_await limits_.wait_for_turn(asked->merchant));
  const bool has_room = backlog_.has_room_for(asked->merchant);
  // What was accepted once is answered as it was, whatever would be refused today. A new key is looked up in
  // the commit that stores it, so this costs nothing where all is well.
  const bool look_first = !asked->key.former.empty() || !asked->money || !has_room;
  if (look_first && !asked->key.key.empty()) {
    auto earlier = co_await find_replay(*asked);
    if (earlier) co_return std::move(*earlier);
  }
  if (!asked->money) co_return std::move(asked->money.error());
  if (!has_room) co_return backlog_is_full();

  auto created = make_transaction(std::move(*asked));
  const auto id = created.transaction.id;
  const auto merchant = created.transaction.merchant_id;
  auto reply = to_json(created.transaction);
  auto result = co_await store_and_tell(std::move(created));
  if (!result) co_return refuse(result.error());
  if (auto* replayed = std::get_if<store::Replayed>(&*result)) co_return replay(std::move(*replayed));
  backlog_.add_one(merchant);
  accepted_.Increment();
  co_return with_location(id, std::move(reply));
}

Task<http::Response> CoreApi::show(http::Request& request) {
  const auto merchant = authenticate(request);
  if (!merchant) co_return merchant.error();
  if (const auto query = service::read_query(request.query, {}); !query) co_return query.error();
  const auto id = Uuid::parse(request.parameter);
  if (!id) co_return http::problem(404, "Not found", "there is no transaction with this id");
  const auto found = co_await store_.find_transaction(*merchant, TransactionId{*id});
  if (!found) co_return refuse(found.error());
  http::Response response;
  response.body = to_json(*found);
  co_return response;
}

Task<http::Response> CoreApi::list(http::Request& request) {
  const auto merchant = authenticate(request);
  if (!merchant) co_return merchant.error();
  const auto filter = read_filter(request.query);
  if (!filter) co_return filter.error();
  const auto page = co_await store_.list_transactions(*merchant, *filter);
  if (!page) co_return refuse(page.error());
  http::Response response;
  response.body = to_json(*page);
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
  const auto aside = store_.set_aside();
  checks.push_back({"store:rows", true, aside.text(), aside.count > 0});
  if (queue_.trouble) {
    // Never a failure: transactions are taken without it, and wait.
    auto trouble = queue_.trouble();
    const bool concern = !trouble.empty();
    checks.push_back({"queue:redis", true, std::move(trouble), concern});
  }
  co_return checks;
}

}  // namespace switchyard::core
