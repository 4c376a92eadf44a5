#include "psp-simulator/psp_simulator.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/problem.hpp"
#include "http/query.hpp"
#include "psp-simulator/charge_json.hpp"
#include "psp-simulator/faults.hpp"
#include "service/request_body.hpp"

namespace switchyard::psp_simulator {
namespace {

using payment::Kind;
using psp::simulator::Answer;
using psp::simulator::Behaviour;
using psp::simulator::Ledger;
using psp::simulator::Outcome;
using psp::simulator::Status;

// A reference has a charge for each authorization, one or two.
constexpr std::size_t charges_shown_max = 100;
constexpr std::size_t counts_shown_max = 1000;

// Empty if it is not there.
std::string_view value_of(const std::vector<http::QueryParameter>& parameters, std::string_view name) {
  const auto found = std::ranges::find(parameters, name, &http::QueryParameter::name);
  return found == parameters.end() ? std::string_view() : found->value;
}

std::string_view name_of(Status status, std::string_view success) {
  switch (status) {
    case Status::succeeded:
      return success;
    case Status::declined:
      return "declined";
    case Status::pending:
      return "pending";
  }
  SWITCHYARD_ASSERT(false);
}

prometheus::Counter& booked_counter(telemetry::Metrics& metrics, Kind kind, Status status) {
  if (kind == Kind::authorize) {
    return metrics.counter("switchyard_psp_simulator_charges_total", "Charges booked, by their outcome.",
                           {{"outcome", std::string(name_of(status, "approved"))}});
  }
  return metrics.counter("switchyard_psp_simulator_operations_total",
                         "Captures, voids and refunds booked, by their outcome.",
                         {{"kind", std::string(payment::to_string(kind))},
                          {"outcome", std::string(name_of(status, "succeeded"))}});
}

// What stands in the book, or a 422 where the charge did not allow it. Where nothing stands there the
// behaviour lets nobody see the response.
template <class Entry>
http::Response booked_response(const std::optional<psp::simulator::Booked<Entry>>& booked) {
  http::Response response;
  if (!booked) return response;
  const auto& outcome = booked->entry.outcome;
  if (psp::simulator::is_refusal(outcome.code)) {
    response = http::problem(422, psp::simulator::words_of(outcome.code));
    // The problem's own member (RFC 9457, 3.2), by which the client knows that this is for good.
    response.body.pop_back();
    fmt::format_to(std::back_inserter(response.body), R"(,"code":"{}"}})", outcome.code);
  } else {
    response.status = booked->is_new ? 201 : 200;
    response.body = to_json(booked->entry);
  }
  if (!booked->is_new) response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

http::Response error_response(Answer answer) {
  if (answer == Answer::transient) return http::problem(503, "Temporarily unavailable", "come again");
  if (answer == Answer::in_use) {
    return http::problem(409, "The idempotency key is in use", "the first request with this key still runs");
  }
  if (answer == Answer::too_many) return http::problem(429, "Too many requests", "come again later");
  return http::problem(500, "Internal server error", "broken on purpose: it may or may not be booked");
}

// The response as the behaviour lets the client see it.
http::Response broken(http::Response response, const Behaviour& behaviour, bool is_booked) {
  const auto answer = psp::simulator::answer_of(behaviour, is_booked);
  if (is_error(answer)) return error_response(answer);
  break_delivery(response, answer, behaviour.delay);
  return response;
}

http::Response json_response(std::string body) {
  http::Response response;
  response.body = std::move(body);
  return response;
}

}  // namespace

std::string read_ledger_path(const Environment& environment) {
  return environment.text("PSP_SIMULATOR_LEDGER", "data/psp-ledger.db");
}

PspSimulator::PspSimulator(const std::string& ledger_path, telemetry::Metrics& metrics, Log& log,
                           const Clock& clock, const DialectSettings& dialects)
    : metrics_(metrics),
      log_(log),
      clock_(clock),
      ledger_(ledger_path, Ledger::Use::program, dialect_tables),
      health_([this] { return check_health(); }),
      stripe_(dialects.stripe),
      adyen_(dialects.adyen),
      stripe_service_(stripe_, ledger_, script_, clock, hooks_of(stripe_webhooks_)),
      adyen_service_(adyen_, ledger_, script_, clock, hooks_of(adyen_webhooks_)) {
  for (const auto kind : {Kind::authorize, Kind::capture, Kind::void_, Kind::refund}) {
    for (const auto status : {Status::succeeded, Status::declined, Status::pending}) {
      booked(kind, status) = &booked_counter(metrics, kind, status);
    }
  }
}

prometheus::Counter*& PspSimulator::booked(Kind kind, Status status) {
  return booked_.at(static_cast<std::size_t>(kind)).at(static_cast<std::size_t>(status));
}

DialectService::Hooks PspSimulator::hooks_of(std::optional<Webhooks>& webhooks) {
  return {.on_change =
              [&webhooks] {
                if (webhooks) webhooks->notify();
              },
          .on_booked = [this](Kind kind, Status status) { booked(kind, status)->Increment(); },
          .on_failure = [this](const Error& error) { refuse(error); }};
}

void PspSimulator::start_webhooks(IoThreads& threads) {
  const auto start = [&](const Dialect& dialect, std::optional<Webhooks>& webhooks) {
    if (dialect.webhook_url().empty()) return;
    threads.run(0, [&]() -> Task<void> {
      webhooks.emplace(threads.executor(0), dialect, ledger_, script_, log_, clock_);
      webhooks->start();
      co_return;
    });
  };
  start(stripe_, stripe_webhooks_);
  start(adyen_, adyen_webhooks_);
}

void PspSimulator::stop_webhooks(IoThreads& threads) {
  for (auto* webhooks : {&stripe_webhooks_, &adyen_webhooks_}) {
    if (*webhooks) threads.run(0, [webhooks]() -> Task<void> { co_await (*webhooks)->stop(); });
  }
}

http::Router PspSimulator::router() {
  using http::Method;
  using http::Request;
  http::Router router(metrics_, "psp-simulator");
  router.break_responses(delivery_of);
  router.add(Method::post, "/charges", [this](const Request& request) { return charge(request); });
  for (const auto& [path, kind] : {std::pair{"/charges/{id}/captures", Kind::capture},
                                   {"/charges/{id}/voids", Kind::void_},
                                   {"/charges/{id}/refunds", Kind::refund}}) {
    router.add(Method::post, path, [this, kind](const Request& request) { return operate(request, kind); });
  }
  router.add(Method::get, "/operations", [this](const Request& request) { return find_operation(request); });
  router.add(Method::get, "/charges", [this](const Request& request) { return list(request); });
  router.add(Method::get, "/charges/counts", [this](const Request& request) { return count(request); });
  router.add(Method::put, "/script", [this](const Request& request) { return put_script(request); });
  router.add(Method::get, "/script",
             [this](const Request&) -> Task<http::Response> { co_return show_script(); });
  router.add(Method::delete_, "/script", [this](const Request&) -> Task<http::Response> {
    script_.replace({});
    co_return show_script();
  });
  stripe_service_.add_routes(router);
  adyen_service_.add_routes(router);
  router.add(Method::get, "/health", [this](const Request& request) { return health_.handle(request); });
  return router;
}

Task<http::Response> PspSimulator::charge(const http::Request& request) {
  auto wanted = read_charge_request(request);
  if (!wanted) co_return std::move(wanted.error());
  const auto behaviour = script_.decide(Kind::authorize, wanted->reference, wanted->amount.minor());
  const auto found = co_await ledger_.book(std::move(*wanted), behaviour, clock_.now());
  if (!found) co_return refuse(found.error());
  const auto& charge = *found;
  if (charge && charge->is_new) booked(Kind::authorize, charge->entry.outcome.status)->Increment();
  co_return broken(booked_response(charge), behaviour, charge.has_value());
}

Task<http::Response> PspSimulator::operate(const http::Request& request, Kind kind) {
  auto wanted = read_operation_request(request, kind);
  if (!wanted) co_return std::move(wanted.error());
  Ledger::BehaviourFor behaviour_for = [this, kind,
                                        amount = wanted->amount.minor()](std::string_view reference) {
    return script_.decide(kind, reference, amount);
  };
  const auto found = co_await ledger_.operate(std::move(*wanted), std::move(behaviour_for), clock_.now());
  if (!found) co_return refuse(found.error());
  const auto& operation = found->booked;
  if (operation && operation->is_new) booked(kind, operation->entry.outcome.status)->Increment();
  co_return broken(booked_response(operation), found->behaviour, operation.has_value());
}

Task<http::Response> PspSimulator::find_operation(const http::Request& request) {
  constexpr std::array<std::string_view, 1> known{"idempotency_key"};
  const auto query = service::read_query(request.query, known);
  if (!query) co_return query.error();
  const auto key = value_of(*query, "idempotency_key");
  if (!is_key(key)) co_return http::problem(422, "idempotency_key must be 1 to 255 letters, digits and -._:");
  std::string any_reference;
  const auto found =
      co_await ledger_.find_operation(std::move(any_reference), std::string(key), clock_.now());
  if (!found) co_return refuse(found.error());
  co_return json_response(to_json(*found));
}

Task<http::Response> PspSimulator::list(const http::Request& request) {
  constexpr std::array<std::string_view, 1> known{"reference"};
  const auto query = service::read_query(request.query, known);
  if (!query) co_return query.error();
  const auto reference = value_of(*query, "reference");
  if (!is_reference(reference)) {
    co_return http::problem(422, "reference must be 1 to 64 letters, digits and -._:");
  }
  auto charges = co_await ledger_.list(std::string(reference), charges_shown_max + 1, clock_.now());
  if (!charges) co_return refuse(charges.error());
  const bool more = charges->size() > charges_shown_max;
  if (more) charges->pop_back();
  co_return json_response(to_json(*charges, more));
}

Task<http::Response> PspSimulator::count(const http::Request& request) {
  constexpr std::array<std::string_view, 2> known{"after", "limit"};
  const auto query = service::read_query(request.query, known);
  if (!query) co_return query.error();
  const auto after = value_of(*query, "after");
  if (!after.empty() && !is_reference(after)) co_return http::problem(422, "after must be a reference");
  std::size_t limit = counts_shown_max;
  if (const auto text = value_of(*query, "limit"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > counts_shown_max) {
      co_return http::problem(422,
                              fmt::format("limit must be a whole number from 1 to {}", counts_shown_max));
    }
  }
  auto counts = co_await ledger_.count(std::string(after), limit + 1, clock_.now());
  if (!counts) co_return refuse(counts.error());
  const bool more = counts->size() > limit;
  if (more) counts->pop_back();
  co_return json_response(to_json(*counts, more));
}

Task<http::Response> PspSimulator::put_script(const http::Request& request) {
  const auto body = service::read_json_object(request, {});
  if (!body) co_return body.error();
  auto rules = read_script(*body);
  if (!rules) co_return http::problem(422, "Invalid script", rules.error());
  script_.replace(std::move(*rules));
  co_return show_script();
}

http::Response PspSimulator::show_script() const {
  return json_response(script_.to_json());
}

Task<std::vector<service::HealthCheck>> PspSimulator::check_health() {
  std::string from_first;
  const auto counted = co_await ledger_.count(std::move(from_first), 1, clock_.now());
  if (!counted) refuse(counted.error());
  co_return std::vector<service::HealthCheck>{
      {"ledger:usable", counted.has_value(), counted ? "" : "the ledger cannot be used; see the log"}};
}

http::Response PspSimulator::refuse(const Error& error) {
  const bool failed =
      error.code == ErrorCode::store_unavailable || error.code == ErrorCode::store_outcome_unknown;
  if (failed && ledger_failures_.allow()) {
    log_.error(fmt::format("The ledger failed: {}", error.detail));
  }
  return http::problem(error);
}

}  // namespace switchyard::psp_simulator
