// psp-connector: takes due operations from the store to a PSP, and what came of them back.
//
// Intent before effect: what a claim decides is committed, and only then is the PSP called. Whatever dies
// in between, the lease runs out and the next claim asks the PSP first. No lock and no database transaction
// is held while a PSP works; a merchant who asks for an operation meanwhile changes the transaction, and the
// answer is then applied to it as it is by that time.
//
// Lives on one io thread: built, run, stopped and destroyed by main(), which does the first and last
// elsewhere.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/environment.hpp"
#include "base/task_group.hpp"
#include "base/wake_up.hpp"
#include "psp-connector/psp_metrics.hpp"
#include "psp-connector/psps.hpp"
#include "psp-connector/store_clock.hpp"
#include "psp-connector/work_monitor.hpp"
#include "psp-connector/worker_log.hpp"
#include "store/store.hpp"
#include "telemetry/log_throttle.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::connector {

struct Settings {
  payment::RetryPolicy policy;
  // For all calls of one claim together: a look-up and the resend that may follow it.
  std::chrono::milliseconds psp_timeout{10'000};
  // Operations under way at once.
  std::size_t in_flight_max = 2048;
  // MAX_AMOUNT: of jobs that come from a queue outside the store and are not in it yet.
  std::int64_t amount_max = 1'000'000'000'000;
  // How long that queue may be away before what is queued is taken from the store, and how long each
  // transaction may wait for it.
  std::chrono::milliseconds take_over_after{30'000};
};

// Throws ConfigError.
Settings read_settings(const Environment& environment);

// A claim that is worked off.
struct Attempt {
  // The PSP's words: to a request that was sent, or to the question what became of it.
  using Said = std::variant<payment::Answer, payment::Found>;

  payment::Claim claim;
  // So many were there then.
  std::size_t operations = 0;
  // As all that was said has made it.
  payment::Step step;
  // In order: a look-up and the send that followed it, or one of them.
  std::vector<Said> said{};
};

class Connector {
 public:
  Connector(const Settings& settings, Executor executor, store::Store& store, Psps& psps, WakeUp& wake_up,
            telemetry::Metrics& metrics, Log& log, const Clock& clock);

  // Until stop(); then waits for the operations under way.
  Task<void> run();
  void stop();

  // For how long what is queued has been due before it is taken from the store: 0, unless a queue outside the
  // store hands it out first. Nothing: it is left to that queue.
  void take_queued_after(std::optional<std::chrono::milliseconds> wait);
  // For whoever claims by other means and on the connector's thread. claim() is pure, for store::Decide, from
  // whatever thread; begin() works off what was claimed and stored, while there is room.
  payment::Step claim(payment::State state, Timestamp now) const;
  void begin(payment::Step claimed);
  std::size_t room() const;
  bool is_idle() const { return under_way_.size() == 0; }
  // `on_saved` gets each step that was saved; `on_room` is called when an operation is out of hand.
  void observe(std::function<void(const payment::Step&)> on_saved, std::function<void()> on_room);

  // An event of its PSP has changed a transaction, and that is stored.
  void note_changed(const payment::Step& step);

  // The time that its claims go by, and what the store's own clock said a moment ago.
  const StoreClock& clock() const { return clock_; }
  void compare_clock(Timestamp store_now) { clock_.compare(store_now); }
  WorkMonitor& monitor() { return monitor_; }
  const WorkMonitor& monitor() const { return monitor_; }
  // The worker's name in the log and in RQ.
  const std::string& worker_name() const { return worker_log_.name(); }

 private:
  // Whether more may be due than there was room for.
  Task<bool> claim_due();
  bool takes_queued_at_once() const { return queued_wait_ == std::chrono::milliseconds(0); }
  // Of what has been due for so long.
  Task<bool> claim_some(store::DueWork::Which which, std::chrono::milliseconds due_for);
  // Measures what is left to do, each second, and what time it is there.
  Task<void> watch();
  Task<void> measure();
  Task<void> process(payment::Step claimed);
  Task<Attempt> carry_out(payment::Step claimed);
  Task<Attempt::Said> call_psp(const payment::Step& step, psp::Deadline deadline);
  Task<void> save(Attempt attempt);
  Task<void> save_beside_others(Attempt attempt);
  void note_saved(const payment::Step& step);
  void note_rejected(const payment::Step& step, std::string_view reason);
  void note_unsaved(const payment::Step& step, const Error& error);
  Task<void> pause(std::chrono::milliseconds duration);
  void count(const payment::Transaction& transaction);
  void note_said(const payment::Step& step, const Attempt::Said& said);
  void note_set_aside();
  void note_heard(const payment::Step& step, const Attempt::Said& said);
  payment::Step hear(payment::Step step, const Attempt::Said& said, Timestamp now) const;
  store::Decided hear_late(const Attempt& attempt, payment::State state, Timestamp now) const;
  // `is_changed`: `state` is to be stored, whatever comes of this.
  store::Decided tell_if_contradicted(const Attempt& attempt, payment::State state, Timestamp now,
                                      bool is_changed) const;

  const Settings settings_;
  store::Store& store_;
  Psps& psps_;
  WakeUp& wake_up_;
  telemetry::Metrics& metrics_;
  Log& log_;
  LogThrottle rejections_;
  StoreClock clock_;
  WorkerLog worker_log_;
  PspMetrics psp_metrics_;
  prometheus::Counter& stale_outcomes_;
  prometheus::Gauge& set_aside_;
  TaskGroup under_way_;
  TaskGroup watch_;
  Event watch_stop_;
  WorkMonitor monitor_;
  // 0: at once. Nothing: never.
  std::optional<std::chrono::milliseconds> queued_wait_{0};
  Event room_;
  std::function<void(const payment::Step&)> on_saved_;
  std::function<void()> on_room_;
  // By status, made when first needed.
  std::array<prometheus::Counter*, 16> counters_{};
  bool stopping_ = false;
};

}  // namespace switchyard::connector
