// A connector on an io thread, from start() to stop().
#pragma once

#include <string>

#include "base/io_threads.hpp"
#include "psp-connector/connector.hpp"
#include "psp/simulator/simulator.hpp"

namespace switchyard::connector {

// Where the simulated PSP keeps its ledger: PSP_SIMULATOR_LEDGER, or beside the store's file.
std::string read_ledger_path(const Environment& environment);

class ConnectorThread {
 public:
  // Works on the first of `threads`. What it is given outlives it; the threads outlive the store, too
  // (lane.hpp).
  ConnectorThread(IoThreads& threads, const Settings& settings, const std::string& ledger_path,
                  store::Store& store, telemetry::Metrics& metrics, Log& log, const Clock& clock);
  ~ConnectorThread();

  void start();
  // From any thread, also before the start: there may be work.
  void notify() { wake_up_.notify(); }
  // Waits for the attempts under way, which are bounded by the PSP's time-out. Blocks.
  void stop();

 private:
  const Executor executor_;
  queue::WakeUp wake_up_{executor_};
  psp::simulator::Simulator psp_;
  Connector connector_;
  std::future<void> running_;
};

}  // namespace switchyard::connector
