// psp-connector: takes due transactions from the store to a PSP, and what came of it back.
//
// Intent before effect: what claim_due() returns is committed, and only then is the PSP called. Whatever dies
// in between, the lease runs out and the next claim asks the PSP first. No lock and no database transaction
// is held while a PSP works.
//
// Lives on one io thread: built, run, stopped and destroyed by main(), which does the first and last
// elsewhere.
#pragma once

#include <array>
#include <chrono>
#include <string>

#include "base/clock.hpp"
#include "base/environment.hpp"
#include "base/task_group.hpp"
#include "psp-connector/worker_log.hpp"
#include "psp/adapter.hpp"
#include "queue/wake_up.hpp"
#include "store/store.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::connector {

struct Settings {
  payment::RetryPolicy policy;
  // For all calls of one claim together: a look-up and the resend that may follow it.
  std::chrono::milliseconds psp_timeout{10'000};
  // Attempts under way at once.
  std::size_t in_flight_max = 1024;
};

// Throws ConfigError.
Settings read_settings(const Environment& environment);

class Connector {
 public:
  Connector(const Settings& settings, Executor executor, store::Store& store, psp::Adapter& psp,
            queue::WakeUp& wake_up, telemetry::Metrics& metrics, Log& log, const Clock& clock);

  // Until stop(); then waits for the attempts under way.
  Task<void> run();
  void stop();

 private:
  // Whether more may be due than there was room for.
  Task<bool> claim();
  Task<void> process(payment::Transition claimed);
  Task<payment::Transition> carry_out(payment::Transition transition);
  Task<payment::Event> call_psp(payment::Action action, const payment::State& state, psp::Deadline deadline);
  Task<void> pause(std::chrono::milliseconds duration);
  void count(const payment::Transaction& transaction);

  const Settings settings_;
  store::Store& store_;
  psp::Adapter& psp_;
  queue::WakeUp& wake_up_;
  telemetry::Metrics& metrics_;
  Log& log_;
  const Clock& clock_;
  WorkerLog worker_log_;
  prometheus::Histogram& psp_duration_;
  prometheus::Counter& stale_outcomes_;
  TaskGroup attempts_;
  Event room_;
  // By status, made when first needed.
  std::array<prometheus::Counter*, 16> counters_{};
  bool stopping_ = false;
};

}  // namespace switchyard::connector
