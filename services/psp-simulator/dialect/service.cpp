#include "psp-simulator/dialect/service.hpp"

#include <utility>

#include "psp-simulator/faults.hpp"

namespace switchyard::psp_simulator {
namespace {

using psp::simulator::Answer;

Asked read_asked(const http::Request& request, const Endpoint& endpoint) {
  return {.method = endpoint.method,
          .pattern = endpoint.pattern,
          .parameter = std::string(request.parameter),
          .query = std::string(request.query),
          .body = std::string(request.body),
          .key = std::string(request.header("Idempotency-Key")),
          .version = std::string(request.header("Stripe-Version")),
          .address = "http://" + std::string(request.header("Host"))};
}

}  // namespace

DialectService::DialectService(const Dialect& dialect, psp::simulator::Ledger& ledger, Script& script,
                               const Clock& clock, Hooks hooks)
    : dialect_(dialect), ledger_(ledger), script_(script), clock_(clock), hooks_(std::move(hooks)) {}

void DialectService::add_routes(http::Router& router) {
  for (const auto& endpoint : dialect_.endpoints()) {
    router.add(endpoint.method, std::string(endpoint.pattern),
               [this, &endpoint](const http::Request& request) { return answer(request, endpoint); });
  }
}

Task<http::Response> DialectService::answer(const http::Request& request, const Endpoint& endpoint) {
  if (auto refused = dialect_.refuse(request)) co_return response_of(std::move(*refused));
  auto work = [this, asked = read_asked(request, endpoint), handler = endpoint.handler, now = clock_.now()](
                  psp::simulator::LedgerRows& rows, sqlite::Database& database) -> Result<Reply> {
    DialectRows documents(database, dialect_.name());
    Session session{.ledger = rows,
                    .rows = documents,
                    .script = script_,
                    .now = now,
                    .psp = dialect_.name(),
                    .sends_events = !dialect_.webhook_url().empty()};
    return answer_once(session, dialect_, handler, asked);
  };
  auto reply = co_await ledger_.transact<Reply>(std::move(work));
  if (!reply) {
    hooks_.on_failure(reply.error());
    co_return response_of(dialect_.broken(Answer::error));
  }
  if (reply->booked) hooks_.on_booked(reply->booked->first, reply->booked->second);
  hooks_.on_change();
  co_return response_of(std::move(*reply));
}

http::Response DialectService::response_of(Reply reply) const {
  const auto behaviour = reply.behaviour;
  const auto how = behaviour ? psp::simulator::answer_of(*behaviour, reply.is_booked) : Answer::given;
  if (is_error(how)) reply = dialect_.broken(how);
  http::Response response{
      .status = reply.status, .body = std::move(reply.body), .headers = std::move(reply.headers)};
  if (behaviour) break_delivery(response, how, behaviour->delay);
  return response;
}

}  // namespace switchyard::psp_simulator
