#include "psp-simulator/dialect/webhooks.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace switchyard::psp_simulator {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int tries_max = 20;
constexpr milliseconds first_pause{200};
constexpr milliseconds pause_max{60'000};
constexpr milliseconds answer_time{10'000};
// Where nothing is due, and after a failure of the ledger.
constexpr milliseconds idle_pause{60'000};
constexpr milliseconds failure_pause{1'000};

milliseconds pause_after(int tries) {
  milliseconds pause = first_pause;
  for (int i = 0; i < tries && pause < pause_max; ++i) pause *= 2;
  return std::min(pause, pause_max);
}

}  // namespace

Webhooks::Webhooks(Executor executor, const Dialect& dialect, psp::simulator::Ledger& ledger, Script& script,
                   Log& log, const Clock& clock)
    : dialect_(dialect),
      ledger_(ledger),
      script_(script),
      log_(log),
      clock_(clock),
      wake_up_(executor),
      tasks_(executor) {
  client_.emplace(executor, http::AsyncClient::Options{.connections_max = 1});
}

void Webhooks::start() {
  tasks_.spawn([this]() -> Task<void> { co_await run(); });
}

Task<void> Webhooks::stop() {
  is_stopping_ = true;
  client_.reset();
  wake_up_.notify();
  (void)co_await tasks_.join_until(steady_clock::now() + std::chrono::seconds(30));
}

Task<void> Webhooks::run() {
  while (!is_stopping_) {
    const auto planned = co_await plan();
    if (is_stopping_) break;
    if (planned && planned->event) {
      co_await deliver(*planned->event);
      continue;
    }
    auto pause = planned ? idle_pause : failure_pause;
    if (planned && planned->not_before) {
      pause = std::clamp(*planned->not_before - clock_.now(), milliseconds(1), idle_pause);
    }
    co_await wake_up_.wait_until(steady_clock::now() + pause);
  }
}

Task<Result<Webhooks::Plan>> Webhooks::plan() {
  auto work = [this, now = clock_.now()](psp::simulator::LedgerRows& rows,
                                         sqlite::Database& database) -> Result<Plan> {
    DialectRows documents(database, dialect_.name());
    Session session{.ledger = rows,
                    .rows = documents,
                    .script = script_,
                    .now = now,
                    .psp = dialect_.name(),
                    .sends_events = true};
    rows.let_time_pass(now);
    dialect_.settle(session);
    Plan plan{.event = documents.next_event(now, dialect_.is_in_line()),
              .not_before = rows.next_change(dialect_.name())};
    if (plan.event && plan.event->due_at > now) {
      plan.not_before = std::min(plan.not_before.value_or(plan.event->due_at), plan.event->due_at);
      plan.event.reset();
    }
    return plan;
  };
  co_return co_await ledger_.transact<Plan>(std::move(work));
}

Task<void> Webhooks::deliver(WaitingEvent event) {
  auto request = dialect_.delivery(event.body, clock_.now());
  request.timeout = answer_time;
  const auto result = co_await client_->send(std::move(request));
  if (is_stopping_) co_return;
  const bool is_taken = result && result->status >= 200 && result->status < 300;
  if (!is_taken && failures_.allow()) {
    log_.warning(fmt::format("The webhook for {} did not take an event: {}", dialect_.name(),
                             result ? fmt::format("it answered {}", result->status) : result.error().reason));
  }
  co_await settle_delivery(std::move(event), is_taken);
}

Task<void> Webhooks::settle_delivery(WaitingEvent event, bool is_taken) {
  event.due_at = clock_.now() + pause_after(event.tries);
  ++event.tries;
  auto work = [this, event = std::move(event), is_taken](psp::simulator::LedgerRows&,
                                                         sqlite::Database& database) -> Result<bool> {
    DialectRows documents(database, dialect_.name());
    if (is_taken || event.tries >= tries_max) {
      documents.remove_event(event.number);
    } else {
      documents.put_off(event);
    }
    return true;
  };
  const auto is_saved = co_await ledger_.transact<bool>(std::move(work));
  if (is_saved) co_return;
  // Or the same event would go out again and again.
  SteadyTimer pause(co_await asio::this_coro::executor, failure_pause);
  co_await pause.async_wait(use_tuple);
}

}  // namespace switchyard::psp_simulator
