#include "psp-connector/connector_thread.hpp"

#include <fmt/format.h>

#include "http/async_client.hpp"
#include "psp-connector/rq_workbench.hpp"
#include "psp/http_adapter.hpp"
#include "psp/simulator/simulator.hpp"
#include "psp/simulator/simulator_protocol.hpp"
#include "service/settings.hpp"
#include "store/open.hpp"

namespace switchyard::connector {
namespace {

constexpr auto never = std::chrono::steady_clock::time_point::max();

std::unique_ptr<psp::Adapter> make_psp(Executor executor, const PspSettings& settings,
                                       std::size_t connections_max, const Clock& clock) {
  if (settings.url.empty()) return std::make_unique<psp::simulator::Simulator>(settings.ledger_path, clock);
  auto protocol = std::make_unique<psp::simulator::SimulatorProtocol>(settings.url);
  return std::make_unique<psp::HttpAdapter>(executor, std::move(protocol), connections_max, clock);
}

constexpr std::string_view simulated = "The PSP is simulated: nothing is charged";

// A shop that went live with it would take orders that nobody pays for.
void say_what_the_psp_is(Log& log, bool production) {
  if (production) {
    log.warning(fmt::format("{}, though SWITCHYARD_ENV is production", simulated));
  } else {
    log.info(simulated);
  }
}

}  // namespace

PspSettings read_psp_settings(const Environment& environment) {
  const bool production = service::is_production(environment);
  if (auto url = environment.find("PSP_URL")) {
    const auto problem = http::problem_of_base_url(*url);
    if (!problem.empty()) {
      throw ConfigError("PSP_URL", problem, "for example PSP_URL=http://127.0.0.1:5003");
    }
    return {.url = std::move(*url), .ledger_path = {}, .production = production};
  }
  if (auto path = environment.find("PSP_SIMULATOR_LEDGER")) {
    return {.url = {}, .ledger_path = std::move(*path), .production = production};
  }
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url))
    return {.url = {}, .ledger_path = "data/psp-simulator.db", .production = production};
  return {.url = {},
          .ledger_path = store::sqlite_path(database_url) + ".psp-simulator",
          .production = production};
}

// As many connections as calls: one that waited for a connection until its deadline would count as a try.
ConnectorThread::ConnectorThread(IoThreads& threads, const Settings& settings,
                                 const PspSettings& psp_settings, store::Store& store,
                                 telemetry::Metrics& metrics, Log& log, const Clock& clock)
    : threads_(threads),
      settings_(settings),
      production_(psp_settings.production),
      store_(store),
      metrics_(metrics),
      log_(log),
      clock_(clock),
      psp_(make_psp(threads.executor(0), psp_settings, settings.in_flight_max, clock)),
      connector_(std::in_place, settings, threads.executor(0), store, *psp_, wake_up_, metrics, log, clock) {}

void ConnectorThread::take_jobs_from(const redis::Url& url, std::function<void()> on_shutdown) {
  const rq::WorkerSettings settings{.url = url,
                                    .lease = settings_.policy.lease,
                                    .amount_max = settings_.amount_max,
                                    .take_over_after = settings_.take_over_after};
  worker_.emplace(settings, threads_.executor(0), store_, workbench_of(*connector_), metrics_, log_,
                  connector_->clock(), std::move(on_shutdown));
}

std::vector<service::HealthCheck> ConnectorThread::health(bool serves) const {
  auto checks = connector_->monitor().checks(serves);
  const auto trouble = connector_->monitor().psp_trouble();
  const bool concern = !trouble.empty();
  auto output = concern ? fmt::format("{}; {}", simulated, trouble) : std::string(simulated);
  checks.push_back({"connector:psp", true, std::move(output), concern});
  return checks;
}

void ConnectorThread::start() {
  started_ = true;
  say_what_the_psp_is(log_, production_);
  threads_.run(0, [this]() -> Task<void> {
    running_.spawn([this] { return connector_->run(); });
    if (worker_) taking_.spawn([this] { return worker_->run(); });
    co_return;
  });
}

ConnectorThread::~ConnectorThread() {
  stop();
  threads_.run(0, [this]() -> Task<void> {
    worker_.reset();
    connector_.reset();
    psp_.reset();
    co_return;
  });
}

void ConnectorThread::stop() {
  if (!std::exchange(started_, false)) return;
  threads_.run(0, [this]() -> Task<void> {
    if (worker_) worker_->stop();
    co_await taking_.join_until(never);
    connector_->stop();
    co_await running_.join_until(never);
    if (worker_) co_await worker_->sign_off();
  });
}

}  // namespace switchyard::connector
