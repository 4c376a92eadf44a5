// A connector on an io thread with the PSP it goes to, from start() to stop().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/io_threads.hpp"
#include "psp-connector/connector.hpp"
#include "rq/worker.hpp"

namespace switchyard::connector {

struct PspSettings {
  // PSP_URL: where psp-simulator answers. Empty: the simulated PSP in this process. May hold a password.
  std::string url;
  // Of the one in this process: PSP_SIMULATOR_LEDGER, or beside the store's file if it has one.
  std::string ledger_path;
  // SWITCHYARD_ENV.
  bool production = false;
};

// Throws ConfigError.
PspSettings read_psp_settings(const Environment& environment);

class ConnectorThread {
 public:
  // Works on the first of `threads`. What it is given outlives it; the threads outlive the store, too
  // (lane.hpp).
  ConnectorThread(IoThreads& threads, const Settings& settings, const PspSettings& psp_settings,
                  store::Store& store, telemetry::Metrics& metrics, Log& log, const Clock& clock);
  ~ConnectorThread();

  // Before the start: takes jobs from Redis, and from the store only what has been started. `on_shutdown` is
  // called when the worker is told to stop through Redis.
  void take_jobs_from(const redis::Url& url, std::function<void()> on_shutdown);

  void start();
  // From any thread, also before the start: there may be work.
  void notify() { wake_up_.notify(); }
  // How the work goes, for health; from any thread. `serves`: WorkMonitor. With a note that the PSP is
  // simulated, and a warning while it cannot be reached.
  std::vector<service::HealthCheck> health(bool serves) const;
  // Waits for the operations under way, which are bounded by the PSP's time-out. Blocks.
  void stop();

 private:
  IoThreads& threads_;
  WakeUp wake_up_{threads_.executor(0)};
  const Settings settings_;
  const bool production_;
  store::Store& store_;
  telemetry::Metrics& metrics_;
  Log& log_;
  const Clock& clock_;
  // Destroyed on the thread, to which they belong.
  std::unique_ptr<psp::Adapter> psp_;
  std::optional<Connector> connector_;
  std::optional<rq::Worker> worker_;
  // An exception that leaves one of them ends the process.
  TaskGroup running_{threads_.executor(0)};
  TaskGroup taking_{threads_.executor(0)};
  bool started_ = false;
};

}  // namespace switchyard::connector
