#include "core-api/core_api.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <boost/json/monotonic_resource.hpp>
#include <fmt/format.h>

#include "core-api/create_request.hpp"
#include "core-api/list_request.hpp"
#include "core-api/openapi.hpp"
#include "core-api/operation_request.hpp"
#include "core-api/preferences.hpp"
#include "core-api/read_token.hpp"
#include "core-api/text_member.hpp"
#include "core-api/transaction_json.hpp"
#include "http/problem.hpp"
#include "payment/psp_keys.hpp"
#include "payment/state_machine.hpp"
#include "service/request_body.hpp"

namespace switchyard::core {
namespace {

using std::chrono::steady_clock;

// Between two measurements of the backlog. Counting millions takes a while, which is to be no more than a
// hundredth of the time.
constexpr std::chrono::milliseconds backlog_interval{1'000};
constexpr std::chrono::milliseconds backlog_interval_max{10'000};
constexpr int backlog_share = 100;
constexpr int retry_after_full_s = 5;
// A refusal costs an io thread nearly as much as a payment. Who sends on at once on many connections,
// whatever Retry-After says, gets no more of them than this allows.
constexpr std::chrono::milliseconds refusal_delay{250};
// Requests that wait for a result; each asks the store a few times a second.
constexpr std::size_t waits_max = 512;
constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds longest_pause{250};

http::Response not_enabled() {
  return http::problem(403, "User not enabled for transactions");
}

http::Response no_transaction() {
  return http::problem(404, "Not found", "there is no transaction with this id");
}

http::Response shown(std::string body) {
  http::Response response;
  response.body = std::move(body);
  return response;
}

// Of POST /transaction: points at the transaction.
http::Response with_location(http::Response response, TransactionId id) {
  // Relative (RFC 9110, 10.2.2), so that it is right behind a router that strips a prefix, too.
  response.headers.emplace_back("Location", "transaction/" + id.value.to_string());
  return response;
}

// A 200 after the wait that its client preferred (RFC 7240, 3).
http::Response with_wait(http::Response response, std::chrono::seconds wait) {
  return std::move(response).with("Preference-Applied", fmt::format("wait={}", wait.count()));
}

// The customer's move is waited for by nobody.
bool has_result(const payment::State& state) {
  const auto status = state.transaction.status;
  return !payment::is_open(status) || status == payment::Status::action_required;
}

// Or one operation of it: 0 is none.
bool has_result(const payment::State& state, std::int32_t number) {
  const auto is_over = [number](const payment::Operation& one) {
    return one.number == number && !payment::is_under_way(one.phase);
  };
  return has_result(state) || std::ranges::any_of(state.operations, is_over);
}

// Adds the operation to the transaction, if it may be asked for, and the reply to it.
store::Decide decide_to(payment::Request wanted, Timestamp now) {
  return [wanted = std::move(wanted),
          now](payment::State state) -> std::expected<store::Decided, payment::Refusal> {
    auto asked = payment::request(std::move(state), wanted, now);
    if (!asked) return std::unexpected(std::move(asked.error()));
    const auto index = asked->operations.size() - 1;
    auto reply = to_json(asked->transaction, asked->operations[index].number);
    return store::Decided{
        .step = {.state = std::move(*asked), .action = payment::Action::none, .index = index},
        .is_changed = true,
        .reply = std::move(reply)};
  };
}

// What a PSP's page gives the customer to bring back (Adyen's redirectResult is some kilobytes at most).
constexpr StringsBounds details_bounds{
    .members_max = 16, .name = {.least = 1, .most = 64}, .value = {.least = 1, .most = 16'384}};

// Has the PSP asked what became of what waits for it.
store::Decide decide_to_ask(std::string brought_back, Timestamp now) {
  return [brought_back = std::move(brought_back),
          now](payment::State state) -> std::expected<store::Decided, payment::Refusal> {
    const auto status = state.transaction.status;
    auto asked = payment::ask_now(std::move(state), now, brought_back);
    if (asked) return store::Decided{.step = {std::move(*asked), payment::Action::none, 0}};
    return std::unexpected(
        payment::Refusal{.why = payment::Refusal::Why::wrong_state,
                         .status = status,
                         .left_minor = 0,
                         .detail = fmt::format("nothing of the transaction waits for its PSP while it is {}; "
                                               "GET shows what became of it",
                                               payment::to_string(status))});
  };
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
  };
}

CoreApi::CoreApi(Settings settings, store::Store& store, IoThreads& threads, telemetry::Metrics& metrics,
                 Log& log, const Clock& clock, WorkQueue queue)
    : tokens_([jwt = std::move(settings.token.jwt)](std::string_view token, Timestamp now) {
        return jwt.verify(token, now);
      }),
      amount_max_(settings.amount_max),
      store_(store),
      threads_(threads),
      metrics_(metrics),
      log_(log),
      refusals_(log),
      clock_(clock),
      queue_(std::move(queue)),
      backlog_(store, metrics, settings.backlog_max),
      limits_(settings.merchant),
      waits_(waits_max),
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
  auto pause = backlog_interval;
  while (!stopping_) {
    co_await stop_.wait_until(steady_clock::now() + pause);
    const auto begun = steady_clock::now();
    const auto measured = co_await backlog_.measure();
    if (!measured) {
      log_.warning(fmt::format("The backlog cannot be measured: {}", measured.error().detail));
    }
    const auto took = std::chrono::floor<std::chrono::milliseconds>(steady_clock::now() - begun);
    pause = std::clamp(backlog_share * took, backlog_interval, backlog_interval_max);
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
  for (const auto kind : {payment::Kind::capture, payment::Kind::void_, payment::Kind::refund}) {
    const auto name = payment::to_string(kind);
    auto& accepted = metrics_.counter("switchyard_operations_accepted_total",
                                      "Captures, voids and refunds committed to the store.",
                                      {{"kind", std::string(name)}});
    router.add(http::Method::post, fmt::format("/transaction/{{id}}/{}", name),
               [this, kind, &accepted](http::Request& request) { return operate(request, kind, accepted); });
  }
  router.add(http::Method::post, "/transaction/{id}/confirm",
             [this](http::Request& request) { return confirm(request); });
  router.add(http::Method::get, "/openapi.json", show_openapi);
  router.add(http::Method::get, "/health",
             [this](const http::Request& request) { return health_.handle(request); });
  return router;
}

std::expected<token::Claims, http::Response> CoreApi::identify(http::Request& request,
                                                               const boost::json::object* body) const {
  const auto token = read_token(request, body);
  if (!token) return std::unexpected(token.error());
  auto claims = tokens_.verify(*token, clock_.now());
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
               fmt::format("a merchant may send {} payments, captures, voids and refunds a second; "
                           "this request did nothing",
                           most),
               1)
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

std::expected<CoreApi::Sender, http::Response> CoreApi::read_sender(http::Request& request,
                                                                    const boost::json::object& body) const {
  // First of all, so that no message or log line below can ever hold one.
  if (auto checked = refuse_card_numbers(body); !checked) return std::unexpected(std::move(checked.error()));
  const auto claims = identify(request, &body);
  if (!claims) return std::unexpected(claims.error());
  auto key = read_idempotency_key(request);
  if (!key) return std::unexpected(std::move(key.error()));
  return Sender{claims->user_id, claims->enabled, std::move(*key)};
}

std::expected<CoreApi::AskedTransaction, http::Response> CoreApi::read_transaction(
    http::Request& request) const {
  std::array<unsigned char, 4096> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  const auto body = service::read_json_object(request, &memory);
  if (!body) return std::unexpected(body.error());
  auto sender = read_sender(request, *body);
  if (!sender) return std::unexpected(std::move(sender.error()));

  AskedTransaction asked{.merchant = sender->merchant,
                         .key = std::nullopt,
                         .former_key = std::move(sender->key.former),
                         .wanted = std::unexpected(http::Response())};
  if (!sender->key.key.empty()) {
    asked.key = {payment::Kind::authorize, std::move(sender->key.key), fingerprint_of(*body)};
  }
  asked.wanted = sender->enabled ? read_new_transaction(*body, request.query, amount_max_)
                                 : std::unexpected(not_enabled());
  return asked;
}

std::expected<CoreApi::AskedOperation, http::Response> CoreApi::read_operation_of(http::Request& request,
                                                                                  payment::Kind kind) const {
  std::array<unsigned char, 4096> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  // Nothing at all is an object without members: all that is left, with the token in the header.
  const auto body =
      request.body.empty() ? boost::json::object(&memory) : service::read_json_object(request, &memory);
  if (!body) return std::unexpected(body.error());
  auto sender = read_sender(request, *body);
  if (!sender) return std::unexpected(std::move(sender.error()));
  const auto id = Uuid::parse(request.parameter);
  if (!id) return std::unexpected(no_transaction());

  AskedOperation asked{.transaction = {.merchant = sender->merchant, .id = {*id}, .key = std::nullopt},
                       .wanted = sender->enabled ? read_operation(kind, *body, request.query)
                                                 : std::unexpected(not_enabled())};
  auto& key = sender->key.key;
  if (key.empty()) return asked;
  if (asked.wanted) {
    asked.wanted->psp_key = payment::derived_key(store_.installation(), sender->merchant, key, kind);
  }
  asked.transaction.key = {kind, std::move(key), fingerprint_of(kind, {*id}, *body)};
  return asked;
}

std::expected<CoreApi::AskedConfirmation, http::Response> CoreApi::read_confirmation(
    http::Request& request) const {
  static constexpr std::string_view members[] = {"token", "details"};
  const auto body = request.body.empty() ? boost::json::object() : service::read_json_object(request, {});
  if (!body) return std::unexpected(body.error());
  if (auto checked = refuse_card_numbers(*body); !checked) return std::unexpected(std::move(checked.error()));
  const auto claims = identify(request, &*body);
  if (!claims) return std::unexpected(claims.error());
  const auto id = Uuid::parse(request.parameter);
  if (!id) return std::unexpected(no_transaction());
  if (!claims->enabled) return std::unexpected(not_enabled());
  if (auto known = service::refuse_unknown_members(*body, members); !known)
    return std::unexpected(std::move(known.error()));
  if (auto none = service::read_query(request.query, {}); !none)
    return std::unexpected(std::move(none.error()));
  auto details = read_strings(*body, "details", details_bounds);
  if (!details) return std::unexpected(std::move(details.error()));
  return AskedConfirmation{{.merchant = claims->user_id, .id = {*id}, .key = std::nullopt},
                           *details == "{}" ? std::string() : std::move(*details)};
}

store::Change CoreApi::make_transaction(AskedTransaction asked) const {
  const auto now = clock_.now();
  auto& wanted = *asked.wanted;
  payment::Transaction transaction{.id = {Uuid::generate()},
                                   .merchant_id = asked.merchant,
                                   .amount = wanted.amount,
                                   .capture_method = wanted.capture_method,
                                   .next_action_at = now,
                                   .reference = std::move(wanted.reference),
                                   .description = std::move(wanted.description),
                                   .metadata = std::move(wanted.metadata),
                                   .payment_method = std::move(wanted.payment_method),
                                   .return_url = std::move(wanted.return_url),
                                   .created_at = now,
                                   .updated_at = now};
  if (asked.key) {
    transaction.derived_reference =
        payment::derived_key(store_.installation(), asked.merchant, asked.key->key, payment::Kind::authorize);
  }
  store::Change change{.state = payment::accepted(std::move(transaction)), .is_new = true};
  if (!asked.key) return change;
  change.key = std::move(asked.key);
  change.reply = to_json(change.state.transaction);
  return change;
}

Task<Result<store::Committed>> CoreApi::store_and_tell(store::Change change) {
  // What an outside queue may hand out.
  std::optional<payment::Transaction> queued;
  const bool is_queued = change.state.transaction.status == payment::Status::queued;
  if (is_queued && queue_.on_queued) queued = change.state.transaction;
  const auto given_at = steady_clock::now();
  auto result = co_await store_.commit(std::move(change));
  const bool is_new = result && std::holds_alternative<store::Done>(*result);
  if (is_new) commit_duration_.Observe(std::chrono::duration<double>(steady_clock::now() - given_at).count());
  if (is_new && queued) queue_.on_queued(*queued);
  if (is_new && !queued && queue_.on_work) queue_.on_work();
  if (result && std::holds_alternative<store::Stale>(*result)) {
    // Its id is one of ours, made a moment ago: only this commit can have stored it, in a try before.
    co_return fail(ErrorCode::store_outcome_unknown, "a new transaction's id was there already");
  }
  co_return result;
}

http::Response CoreApi::replay(store::Replayed replayed) {
  replayed_.Increment();
  return shown(std::move(replayed.reply)).with("Idempotency-Replayed", "true");
}

Task<Result<std::optional<store::Replayed>>> CoreApi::find_first(MerchantId merchant,
                                                                 store::IdempotencyKey key,
                                                                 std::string former) {
  if (!former.empty()) {
    auto former_key = key;
    former_key.key = std::move(former);
    auto earlier = co_await store_.find_reply(merchant, std::move(former_key));
    // Another request's key is only another key that is read alike.
    const bool of_another =
        !earlier && earlier.error().code == ErrorCode::idempotency_key_reused_with_different_body;
    if (!of_another && (!earlier || *earlier)) co_return earlier;
  }
  auto first = co_await store_.find_reply(merchant, std::move(key));
  co_return first;
}

Task<std::optional<payment::State>> CoreApi::wait_for_result(MerchantId merchant, TransactionId id,
                                                             std::int32_t operation,
                                                             std::chrono::seconds longest) {
  const auto place = waits_.enter(merchant);
  if (!place) co_return std::nullopt;
  const auto deadline = steady_clock::now() + longest;
  SteadyTimer timer(co_await asio::this_coro::executor);
  std::chrono::milliseconds pause = first_pause;
  for (;;) {
    timer.expires_at(std::min(steady_clock::now() + pause, deadline));
    co_await timer.async_wait(use_tuple);
    const bool is_last = steady_clock::now() >= deadline || waits_.stopping();
    auto found = co_await store_.find_transaction(merchant, id);
    if (!found) co_return std::nullopt;
    if (is_last || has_result(*found, operation)) co_return std::move(*found);
    pause = std::min(2 * pause, longest_pause);
  }
}

Task<http::Response> CoreApi::create(http::Request& request) {
  auto asked = read_transaction(request);
  if (!asked) co_return std::move(asked.error());
  const auto merchant = asked->merchant;
  const auto now = steady_clock::now();
  auto turn = limits_.enter(merchant, now);
  if (!turn) co_return refuse(turn.error());
  const auto rate = limits_.take_one(merchant, now);
  if (!rate && !asked->key) co_return refuse(rate.error());
  if (!*turn) turn->emplace(co_await limits_.wait_for_turn(merchant));
  const bool has_room = backlog_.has_room_for(merchant);
  // What was accepted once is answered as it was, whatever would be refused today. A new key is looked up in
  // the commit that stores it, so this costs nothing where all is well.
  const bool look_first = !asked->former_key.empty() || !asked->wanted || !has_room || !rate;
  if (look_first && asked->key) {
    auto first = co_await find_first(merchant, *asked->key, asked->former_key);
    if (!first) co_return refuse(first.error());
    if (*first) {
      const auto first_id = (*first)->id;
      co_return with_location(replay(std::move(**first)), first_id);
    }
  }
  if (!rate) co_return refuse(rate.error());
  if (!asked->wanted) co_return std::move(asked->wanted.error());
  if (!has_room) co_return backlog_is_full();

  auto change = make_transaction(std::move(*asked));
  const auto id = change.state.transaction.id;
  auto reply = change.key ? change.reply : to_json(change.state.transaction);
  auto result = co_await store_and_tell(std::move(change));
  if (!result) co_return refuse(result.error());
  if (auto* replayed = std::get_if<store::Replayed>(&*result)) {
    const auto first_id = replayed->id;
    co_return with_location(replay(std::move(*replayed)), first_id);
  }
  backlog_.add_one(merchant);
  accepted_.Increment();
  const auto wait = read_wait(request);
  if (wait.count() == 0) co_return with_location(shown(std::move(reply)), id);
  // Who only waits keeps no other request of the merchant out.
  turn->reset();
  const auto state = co_await wait_for_result(merchant, id, 0, wait);
  if (!state) co_return with_location(shown(std::move(reply)), id);
  co_return with_location(with_wait(shown(to_json_without_operations(*state)), wait), id);
}

Task<store::Taken> CoreApi::add_operation(AskedOperation asked) {
  store::NamedWork named;
  named.all.push_back(std::move(asked.transaction));
  store::Work work(std::move(named));
  auto decide = decide_to(std::move(*asked.wanted), clock_.now());
  auto taken = co_await store_.take(std::move(work), std::move(decide));
  if (!taken) co_return std::move(taken.error());
  SWITCHYARD_ASSERT(taken->size() == 1);
  co_return std::move(taken->front());
}

Task<http::Response> CoreApi::operate(http::Request& request, payment::Kind kind,
                                      prometheus::Counter& accepted) {
  auto asked = read_operation_of(request, kind);
  if (!asked) co_return std::move(asked.error());
  const auto merchant = asked->transaction.merchant;
  const auto id = asked->transaction.id;
  const auto now = steady_clock::now();
  auto turn = limits_.enter(merchant, now);
  if (!turn) co_return refuse(turn.error());
  const auto rate = limits_.take_one(merchant, now);
  if (!rate && !asked->transaction.key) co_return refuse(rate.error());
  if (!*turn) turn->emplace(co_await limits_.wait_for_turn(merchant));
  const bool has_room = backlog_.has_room_for(merchant);
  if ((!asked->wanted || !has_room || !rate) && asked->transaction.key) {
    auto first = co_await find_first(merchant, *asked->transaction.key, std::string());
    if (!first) co_return refuse(first.error());
    if (*first) co_return replay(std::move(**first));
  }
  if (!rate) co_return refuse(rate.error());
  if (!asked->wanted) co_return std::move(asked->wanted.error());
  if (!has_room) co_return backlog_is_full();

  auto taken = co_await add_operation(std::move(*asked));
  if (auto* error = std::get_if<Error>(&taken)) co_return refuse(*error);
  if (auto* refusal = std::get_if<payment::Refusal>(&taken)) co_return refuse_operation(*refusal);
  if (auto* replayed = std::get_if<store::Replayed>(&taken)) co_return replay(std::move(*replayed));
  backlog_.add_one(merchant);
  accepted.Increment();
  if (queue_.on_work) queue_.on_work();
  const auto& step = std::get<store::Decided>(taken).step;
  const auto number = step.operation().number;
  auto reply = to_json(step.state.transaction, number);
  const auto wait = read_wait(request);
  if (wait.count() == 0) co_return shown(std::move(reply));
  turn->reset();
  const auto state = co_await wait_for_result(merchant, id, number, wait);
  if (!state) co_return shown(std::move(reply));
  co_return with_wait(shown(to_json(state->transaction, number)), wait);
}

Task<http::Response> CoreApi::confirm(http::Request& request) {
  auto asked = read_confirmation(request);
  if (!asked) co_return std::move(asked.error());
  const auto merchant = asked->transaction.merchant;
  const auto now = steady_clock::now();
  auto turn = limits_.enter(merchant, now);
  if (!turn) co_return refuse(turn.error());
  // A PSP is called for each.
  const auto rate = limits_.take_one(merchant, now);
  if (!rate) co_return refuse(rate.error());
  if (!*turn) turn->emplace(co_await limits_.wait_for_turn(merchant));
  store::NamedWork named;
  named.all.push_back(std::move(asked->transaction));
  store::Work work(std::move(named));
  auto decide = decide_to_ask(std::move(asked->brought_back), clock_.now());
  auto taken = co_await store_.take(std::move(work), std::move(decide));
  if (!taken) co_return refuse(taken.error());
  if (auto* error = std::get_if<Error>(&taken->front())) co_return refuse(*error);
  if (auto* refusal = std::get_if<payment::Refusal>(&taken->front())) co_return refuse_operation(*refusal);
  if (queue_.on_work) queue_.on_work();
  co_return shown(to_json(std::get<store::Decided>(taken->front()).step.state));
}

Task<http::Response> CoreApi::show(http::Request& request) {
  const auto merchant = authenticate(request);
  if (!merchant) co_return merchant.error();
  if (const auto query = service::read_query(request.query, {}); !query) co_return query.error();
  const auto id = Uuid::parse(request.parameter);
  if (!id) co_return no_transaction();
  const TransactionId transaction{*id};
  auto found = co_await store_.find_transaction(*merchant, transaction);
  if (!found) co_return refuse(found.error());
  const auto wait = read_wait(request);
  if (wait.count() == 0) co_return shown(to_json(*found));
  if (has_result(*found)) co_return with_wait(shown(to_json(*found)), wait);
  const auto later = co_await wait_for_result(*merchant, transaction, 0, wait);
  if (!later) co_return shown(to_json(*found));
  co_return with_wait(shown(to_json(*later)), wait);
}

Task<http::Response> CoreApi::list(http::Request& request) {
  const auto merchant = authenticate(request);
  if (!merchant) co_return merchant.error();
  const auto filter = read_filter(request.query);
  if (!filter) co_return filter.error();
  // Filters that exclude each other.
  if (filter->limit == 0) co_return shown(to_json(store::TransactionPage()));
  const auto page = co_await store_.list_transactions(*merchant, *filter);
  if (!page) co_return refuse(page.error());
  co_return shown(to_json(*page));
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
