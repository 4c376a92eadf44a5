// A connector on an io thread with the PSPs it goes to, from start() to stop(). Follows the routing file, if
// there is one: a wrong new one is told, and the rules from before are kept.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/io_threads.hpp"
#include "psp-connector/connector.hpp"
#include "psp-connector/event_work.hpp"
#include "psp-connector/make_psp.hpp"
#include "routing/routing_file.hpp"
#include "rq/worker.hpp"

namespace switchyard::connector {

class ConnectorThread {
 public:
  // Works on the first of `threads`. What it is given outlives it; the threads outlive the store, too
  // (lane.hpp). Throws ConfigError.
  ConnectorThread(IoThreads& threads, const Settings& settings, const PspSettings& psp_settings,
                  store::Store& store, telemetry::Metrics& metrics, Log& log, const Clock& clock);
  ~ConnectorThread();

  // Before the start: takes jobs from Redis, and from the store only what has been started. `on_shutdown` is
  // called when the worker is told to stop through Redis.
  void take_jobs_from(const redis::Url& url, std::function<void()> on_shutdown);

  void start();
  // From any thread, also before the start: there may be work.
  void notify() { wake_up_.notify(); }
  // There may be an event of a PSP.
  void notify_event() { event_work_->notify(); }
  // How the work goes, for health; from any thread. `serves`: WorkMonitor. With a note that a PSP is
  // simulated, and a warning while one cannot be reached, or the routing file not be followed.
  std::vector<service::HealthCheck> health(bool serves) const;
  // Waits for the operations under way, which are bounded by the PSP's time-out. Blocks.
  void stop();

 private:
  void make_psps();
  Task<void> watch_routing_file();
  void follow_routing_file();

  IoThreads& threads_;
  WakeUp wake_up_{threads_.executor(0)};
  const Settings settings_;
  const PspSettings psp_settings_;
  store::Store& store_;
  telemetry::Metrics& metrics_;
  Log& log_;
  const Clock& clock_;
  std::optional<routing::RoutingFile> routing_file_;
  prometheus::Gauge* routing_trouble_gauge_ = nullptr;
  mutable std::mutex mutex_;
  // Why the routing file as it is now cannot be followed.
  std::string routing_trouble_;
  // Destroyed on the thread, to which they belong.
  std::unique_ptr<psp::Adapter> psp_;
  std::optional<Psps> psps_;
  std::optional<Connector> connector_;
  std::optional<EventWork> event_work_;
  std::optional<rq::Worker> worker_;
  // An exception that leaves one of them ends the process.
  TaskGroup running_{threads_.executor(0)};
  TaskGroup taking_{threads_.executor(0)};
  TaskGroup watching_{threads_.executor(0)};
  TaskGroup hearing_{threads_.executor(0)};
  Event stop_{threads_.executor(0)};
  bool stopping_ = false;
  bool started_ = false;
};

}  // namespace switchyard::connector
