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
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/environment.hpp"
#include "base/task_group.hpp"
#include "psp-connector/work_monitor.hpp"
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
  std::size_t in_flight_max = 2048;
  // MAX_AMOUNT: of jobs that come from a queue outside the store and are not in it yet.
  std::int64_t amount_max = 1'000'000'000'000;
  // What the connector looks for in the store; a queue outside the store brings the rest by take().
  store::Due due = store::Due::all;
  // Once that queue has been away for so long, what is queued may be taken from the store: take_over().
  std::chrono::milliseconds take_over_after{30'000};
};

// What became of a job that was to be taken.
struct TakenJob {
  // Or somebody else has: then `transaction` tells how far it is.
  bool is_ours = false;
  payment::Transaction transaction;
  // Why it was not taken into the store; empty otherwise.
  std::string refusal;
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

  // For a queue outside the store, on the connector's thread. Claims the transactions of its jobs in one
  // commit, in their order, and works off those that nobody has begun; as many as there is room for.
  Task<Result<std::vector<TakenJob>>> take(std::vector<payment::Transaction> jobs);
  std::size_t room() const;
  bool is_idle() const { return attempts_.size() == 0; }
  // `on_saved` gets each outcome that was saved; `on_room` is called when an attempt has ended.
  void observe(std::function<void(const payment::Transaction&)> on_saved, std::function<void()> on_room);
  // The queue outside the store is away: from here on the store hands out what is queued, too, until leave().
  // But not if a worker that is not ours was ever seen on that queue: it may hold any of them, and asks
  // nobody. Then nothing changes, and the result is false. Asked again while it lasts, it looks again.
  Task<Result<bool>> take_over();
  void leave();
  std::chrono::milliseconds take_over_after() const { return settings_.take_over_after; }
  WorkMonitor& monitor() { return monitor_; }
  const WorkMonitor& monitor() const { return monitor_; }
  // The worker's name in the log and in RQ.
  const std::string& worker_name() const { return worker_log_.name(); }

 private:
  void begin(payment::Transition claimed);
  // Whether more may be due than there was room for.
  Task<bool> claim();
  // Measures what is left to do, each second.
  Task<void> watch();
  Task<void> process(payment::Transition claimed);
  Task<payment::Transition> carry_out(payment::Transition transition);
  Task<payment::Event> call_psp(payment::Action action, const payment::State& state, psp::Deadline deadline);
  Task<void> pause(std::chrono::milliseconds duration);
  void count(const payment::Transaction& transaction);
  void count_call(payment::Action action, const payment::Event& event);
  void tell_monitor(payment::Action action, const payment::Event& event);
  void note_set_aside();

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
  prometheus::Gauge& set_aside_;
  TaskGroup attempts_;
  TaskGroup watch_;
  Event watch_stop_;
  WorkMonitor monitor_;
  bool taken_over_ = false;
  Event room_;
  std::function<void(const payment::Transaction&)> on_saved_;
  std::function<void()> on_room_;
  // By status, made when first needed.
  std::array<prometheus::Counter*, 16> counters_{};
  // By action, event and whether it is a soft decline; made when first needed.
  std::array<std::array<std::array<prometheus::Counter*, 2>, std::variant_size_v<payment::Event>>, 3>
      call_counters_{};
  bool stopping_ = false;
};

}  // namespace switchyard::connector
