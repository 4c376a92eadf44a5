#include "psp-connector/connector_thread.hpp"

#include "service/settings.hpp"
#include "store/open.hpp"

namespace switchyard::connector {

std::string read_ledger_path(const Environment& environment) {
  if (const auto path = environment.find("PSP_SIMULATOR_LEDGER")) return *path;
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url)) return "data/psp-simulator.db";
  return store::sqlite_path(database_url) + ".psp-simulator";
}

ConnectorThread::ConnectorThread(IoThreads& threads, const Settings& settings, const std::string& ledger_path,
                                 store::Store& store, telemetry::Metrics& metrics, Log& log,
                                 const Clock& clock)
    : executor_(threads.executor(0)),
      psp_(ledger_path, clock),
      connector_(settings, executor_, store, psp_, wake_up_, metrics, log, clock) {}

void ConnectorThread::start() {
  running_ = asio::co_spawn(executor_, [this] { return connector_.run(); }, asio::use_future);
}

ConnectorThread::~ConnectorThread() {
  stop();
}

void ConnectorThread::stop() {
  if (!running_.valid()) return;
  asio::post(executor_, [this] { connector_.stop(); });
  running_.get();
}

}  // namespace switchyard::connector
