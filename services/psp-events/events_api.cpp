#include "psp-events/events_api.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "http/problem.hpp"
#include "psp-events/openapi.hpp"

namespace switchyard::events {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds routing_file_interval{1};
// Who sends on at once on many connections, whatever he is answered, gets no more of an io thread than this
// allows.
constexpr std::chrono::milliseconds refusal_delay{250};

http::Response delayed(http::Response response) {
  response.delay = refusal_delay;
  return response;
}

// What Adyen's older guides ask for; Stripe wants the status only.
http::Response accepted() {
  http::Response response;
  response.content_type = "text/plain";
  response.body = "[accepted]";
  return response;
}

// The connector has nothing to do where nothing has happened; it is kept, so that it is known when it comes
// again.
store::PspEvent event_of(const std::string& account, psp::Notice notice, Timestamp now) {
  store::PspEvent event{.account = account, .notice = std::move(notice), .received_at = now};
  if (std::holds_alternative<payment::Ignored>(event.notice.what)) {
    event.result = "of no consequence";
  } else {
    event.due_at = now;
  }
  return event;
}

Task<http::Response> show_openapi(const http::Request&) {
  http::Response response;
  response.body = openapi_document;
  co_return response;
}

}  // namespace

Settings read_settings(const Environment& environment) {
  return {.routing_file = environment.text("ROUTING_FILE", ""), .environment = environment};
}

EventsApi::EventsApi(Settings settings, store::Store& store, IoThreads& threads, telemetry::Metrics& metrics,
                     Log& log, const Clock& clock, std::function<void()> on_work)
    : store_(store),
      threads_(threads),
      metrics_(metrics),
      log_(log),
      clock_(clock),
      on_work_(std::move(on_work)),
      accounts_(settings.routing_file, std::move(settings.environment), metrics, log),
      health_([this] { return check_health(); }),
      tasks_(threads.executor(0)),
      stop_(threads.executor(0)) {
  if (!accounts_.has_file()) return;
  threads_.run(0, [this]() -> Task<void> {
    tasks_.spawn([this] { return watch_routing_file(); });
    co_return;
  });
}

EventsApi::~EventsApi() {
  threads_.run(0, [this]() -> Task<void> {
    stopping_ = true;
    stop_.set();
    co_await tasks_.join_until(steady_clock::time_point::max());
  });
}

Task<void> EventsApi::watch_routing_file() {
  while (!stopping_) {
    co_await stop_.wait_until(steady_clock::now() + routing_file_interval);
    if (!stopping_) accounts_.follow();
  }
}

http::Router EventsApi::router() {
  http::Router router(metrics_, "psp-events");
  router.add(http::Method::post, "/{account}/events",
             [this](http::Request& request) { return take(request); });
  router.add(http::Method::get, "/openapi.json", show_openapi);
  router.add(http::Method::get, "/health",
             [this](const http::Request& request) { return health_.handle(request); });
  return router;
}

Task<http::Response> EventsApi::take(http::Request& request) {
  // Kept until the end, whatever the routing file says meanwhile.
  const auto account = accounts_.find(request.parameter);
  auto events = read(*account, request);
  if (!events) co_return note(*account, request, std::move(events.error()));
  // After the signature: what anybody can send takes nobody's place.
  const auto turn = account->enter();
  if (!turn) {
    auto response =
        delayed(http::try_later(503, "Too many events at once",
                                "too many events of this account wait to be stored; send it again", 1));
    Refusal refusal{Result::too_many, std::move(response), "too many events of the account at once"};
    co_return note(*account, request, std::move(refusal));
  }
  const auto stored = co_await store_.add_psp_events(std::move(*events));
  if (!stored) co_return note(*account, request, refuse(stored.error()));
  account->count_of(Result::stored).Increment();
  if (on_work_) on_work_();
  co_return accepted();
}

std::expected<store::PspEvents, EventsApi::Refusal> EventsApi::read(EventAccount& account,
                                                                    const http::Request& request) const {
  if (account.name().empty()) {
    constexpr std::string_view unknown = "there is no account of this name in the routing file";
    constexpr std::string_view none =
        "no account takes events: ROUTING_FILE is not set, so the only PSP is simulated";
    const auto why = accounts_.has_file() ? unknown : none;
    return std::unexpected(
        Refusal{Result::unknown_account, http::problem(404, "Not found", why), std::string(why)});
  }
  if (account.webhook() == nullptr) {
    constexpr std::string_view why =
        "the account takes no events: its PSP is simulated, or it names no secret that they are signed with";
    return std::unexpected(
        Refusal{Result::takes_none, http::problem(404, "Not found", why), std::string(why)});
  }
  if (request.body.size() > psp::webhook_bytes_max) {
    const auto why = fmt::format("an event has at most {} bytes", psp::webhook_bytes_max);
    return std::unexpected(Refusal{Result::too_large, http::problem(413, "Content too large", why), why});
  }
  const auto now = clock_.now();
  auto notices = account.webhook()->read(
      {.header = [&request](std::string_view name) { return request.header(name); }, .body = request.body},
      now);
  if (notices) {
    store::PspEvents events;
    for (auto& notice : *notices) events.push_back(event_of(account.name(), std::move(notice), now));
    return events;
  }
  auto& reason = notices.error().reason;
  if (notices.error().is_signature) {
    auto response = http::problem(401, "Signature refused", reason).with("WWW-Authenticate", "Signature");
    return std::unexpected(
        Refusal{Result::refused_signature, delayed(std::move(response)), std::move(reason)});
  }
  auto response = http::problem(400, "Event cannot be read", reason);
  return std::unexpected(Refusal{Result::unreadable, delayed(std::move(response)), std::move(reason)});
}

EventsApi::Refusal EventsApi::refuse(const Error& error) {
  const bool is_overload = error.code == ErrorCode::overloaded;
  if (!is_overload && store_failures_.allow()) log_.error(fmt::format("The store failed: {}", error.detail));
  if (is_overload) {
    return {Result::not_stored, delayed(http::problem(error)), "the store has too much to do"};
  }
  if (error.code == ErrorCode::store_unavailable) {
    return {Result::not_stored, http::problem(error), "the store cannot take it"};
  }
  return {Result::not_stored,
          http::try_later(503, "Outcome unknown",
                          "it is not known whether the event was stored; send it again", 1),
          "it is not known whether it was stored"};
}

// Of the path nothing is told: a name that is none of an account's may be anything.
http::Response EventsApi::note(EventAccount& account, const http::Request& request, Refusal refusal) {
  account.count_of(refusal.result).Increment();
  if (!account.lines().take(steady_clock::now())) return std::move(refusal.response);
  const auto address = request.remote_address.to_string();
  const auto whose =
      account.name().empty() ? std::string("no account") : fmt::format("the account {}", account.name());
  log_.warning(fmt::format("An event for {} was refused with {}: {}; address {}, request {}", whose,
                           refusal.response.status, refusal.reason, address, request.request_id),
               {{"account", account.name()},
                {"status", static_cast<std::int64_t>(refusal.response.status)},
                {"reason", refusal.reason},
                {"address", address},
                {"request_id", request.request_id}});
  return std::move(refusal.response);
}

Task<std::vector<service::HealthCheck>> EventsApi::check_health() {
  const auto writable = co_await store_.check_writable(clock_.now());
  if (!writable && store_failures_.allow()) {
    log_.error(fmt::format("The store cannot be written: {}", writable.error().detail));
  }
  std::vector<service::HealthCheck> checks{
      {"store:writable", writable.has_value(), writable ? "" : "the store cannot be written; see the log"}};
  // Events are taken all the same, for the accounts from before.
  auto trouble = accounts_.trouble();
  const bool concern = !trouble.empty();
  if (accounts_.has_file()) checks.push_back({"events:routing", true, std::move(trouble), concern});
  co_return checks;
}

}  // namespace switchyard::events
