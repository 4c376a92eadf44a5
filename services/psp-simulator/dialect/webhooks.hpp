// Sends a dialect's events to its webhook, one after another, each until it is taken: at first after a fifth
// of a second, then later and later, a minute at most, twenty times. What waits survives a restart.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "base/io_threads.hpp"
#include "base/task_group.hpp"
#include "base/wake_up.hpp"
#include "http/async_client.hpp"
#include "psp-simulator/dialect/dialect.hpp"
#include "psp/simulator/ledger.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"

namespace switchyard::psp_simulator {

class Webhooks {
 public:
  // Works on the thread of `executor`, from start() on. Everything it is given outlives it.
  Webhooks(Executor executor, const Dialect& dialect, psp::simulator::Ledger& ledger, Script& script,
           Log& log, const Clock& clock);

  // From any thread: there may be something to send.
  void notify() { wake_up_.notify(); }

  // On the thread of the executor.
  void start();
  // Gives up what is under way. It is not used afterwards.
  Task<void> stop();

 private:
  // What is to be done: an event, or nothing before a time.
  struct Plan {
    std::optional<WaitingEvent> event;
    std::optional<Timestamp> not_before;
  };

  Task<void> run();
  Task<Result<Plan>> plan();
  Task<void> deliver(WaitingEvent event);
  Task<void> settle_delivery(WaitingEvent event, bool is_taken);

  const Dialect& dialect_;
  psp::simulator::Ledger& ledger_;
  Script& script_;
  Log& log_;
  const Clock& clock_;
  WakeUp wake_up_;
  TaskGroup tasks_;
  std::optional<http::AsyncClient> client_;
  LogThrottle failures_;
  bool is_stopping_ = false;
};

}  // namespace switchyard::psp_simulator
