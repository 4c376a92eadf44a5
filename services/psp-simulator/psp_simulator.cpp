#include "psp-simulator/psp_simulator.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "http/problem.hpp"
#include "http/query.hpp"
#include "psp-simulator/charge_json.hpp"
#include "service/request_body.hpp"

namespace switchyard::psp_simulator {
namespace {

using psp::simulator::Answer;
using psp::simulator::Booked;
using psp::simulator::Ledger;

// A reference has a charge for each attempt, three at most.
constexpr std::size_t charges_shown_max = 100;
constexpr std::size_t counts_shown_max = 1000;

// JSON that is cut off.
constexpr std::string_view garbage = R"({"id":"sim_)";

// Empty if it is not there.
std::string_view value_of(const std::vector<http::QueryParameter>& parameters, std::string_view name) {
  const auto found = std::ranges::find(parameters, name, &http::QueryParameter::name);
  return found == parameters.end() ? std::string_view() : found->value;
}

prometheus::Counter& charges_counter(telemetry::Metrics& metrics, const char* outcome) {
  return metrics.counter("switchyard_psp_simulator_charges_total", "Charges booked, by their outcome.",
                         {{"outcome", outcome}});
}

http::Response charge_response(const std::optional<Booked>& booked) {
  http::Response response;
  if (!booked) return response;
  response.status = booked->is_new ? 201 : 200;
  response.body = to_json(booked->charge);
  if (!booked->is_new) response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

// The response as the behaviour lets the client see it.
http::Response broken(http::Response response, Answer answer, std::chrono::milliseconds delay) {
  switch (answer) {
    case Answer::given:
      break;
    case Answer::late:
      response.delay = delay;
      break;
    case Answer::withheld:
      response.delivery = http::Delivery::withheld;
      break;
    case Answer::reset:
    case Answer::unreachable:
      response.delivery = http::Delivery::reset;
      break;
    case Answer::error:
      return http::problem(500, "Internal server error",
                           "broken on purpose: there may or may not be a charge");
    case Answer::garbage:
      response.status = 200;
      response.body = garbage;
      break;
  }
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
                           const Clock& clock)
    : metrics_(metrics),
      log_(log),
      clock_(clock),
      ledger_(ledger_path, Ledger::Use::program),
      health_([this] { return check_health(); }),
      approved_(charges_counter(metrics, "approved")),
      declined_(charges_counter(metrics, "declined")) {}

http::Router PspSimulator::router() {
  using http::Method;
  using http::Request;
  http::Router router(metrics_, "psp-simulator");
  router.add(Method::post, "/charges", [this](const Request& request) { return charge(request); });
  router.add(Method::get, "/charges", [this](const Request& request) { return list(request); });
  router.add(Method::get, "/charges/counts", [this](const Request& request) { return count(request); });
  router.add(Method::put, "/script", [this](const Request& request) { return put_script(request); });
  router.add(Method::get, "/script",
             [this](const Request&) -> Task<http::Response> { co_return show_script(); });
  router.add(Method::delete_, "/script", [this](const Request&) -> Task<http::Response> {
    script_.replace({});
    co_return show_script();
  });
  router.add(Method::get, "/health", [this](const Request& request) { return health_.handle(request); });
  return router;
}

Task<http::Response> PspSimulator::charge(const http::Request& request) {
  auto wanted = read_charge_request(request);
  if (!wanted) co_return std::move(wanted.error());
  const auto decision = script_.decide(wanted->reference, wanted->amount.minor());
  const auto booked = co_await ledger_.book(std::move(*wanted), decision.behaviour, clock_.now());
  if (!booked) co_return refuse(booked.error());
  if (*booked && (*booked)->is_new) ((*booked)->charge.approved ? approved_ : declined_).Increment();
  const auto answer = psp::simulator::answer_of(decision.behaviour, booked->has_value());
  co_return broken(charge_response(*booked), answer, decision.delay);
}

Task<http::Response> PspSimulator::list(const http::Request& request) {
  constexpr std::array<std::string_view, 1> known{"reference"};
  const auto query = service::read_query(request.query, known);
  if (!query) co_return query.error();
  const auto reference = value_of(*query, "reference");
  if (!is_reference(reference)) {
    co_return http::problem(422, "reference must be 1 to 64 letters, digits and -._:");
  }
  auto charges = co_await ledger_.list(std::string(reference), charges_shown_max + 1);
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
  auto counts = co_await ledger_.count(std::string(after), limit + 1);
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
  const auto counted = co_await ledger_.count(std::move(from_first), 1);
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
