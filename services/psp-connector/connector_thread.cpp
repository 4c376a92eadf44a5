#include "psp-connector/connector_thread.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "psp-connector/rq_workbench.hpp"

namespace switchyard::connector {
namespace {

constexpr auto never = std::chrono::steady_clock::time_point::max();

constexpr std::chrono::seconds routing_file_interval{1};

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

ConnectorThread::ConnectorThread(IoThreads& threads, const Settings& settings,
                                 const PspSettings& psp_settings, store::Store& store,
                                 telemetry::Metrics& metrics, Log& log, const Clock& clock)
    : threads_(threads),
      settings_(settings),
      psp_settings_(psp_settings),
      store_(store),
      metrics_(metrics),
      log_(log),
      clock_(clock) {
  make_psps();
  connector_.emplace(settings, threads.executor(0), store, *psps_, wake_up_, metrics, log, clock);
  event_work_.emplace(threads.executor(0), store, *psps_, settings.policy, metrics, log, connector_->clock(),
                      [this](const payment::Step& step) { connector_->note_changed(step); });
}

void ConnectorThread::make_psps() {
  const PspParts parts{psp_settings_, threads_.executor(0), settings_.in_flight_max, clock_};
  if (psp_settings_.routing_file.empty()) {
    psp_ = make_simulated_psp(parts);
    psps_.emplace(*psp_);
    return;
  }
  routing_file_.emplace(psp_settings_.routing_file);
  psps_.emplace(
      routing_file_->read_first(),
      [parts](const routing::Account& account) { return make_psp(account, parts); }, settings_.in_flight_max);
  routing_trouble_gauge_ =
      &metrics_.gauge("switchyard_routing_file_refused",
                      "Whether the routing file cannot be followed, and the rules from before are kept.");
}

Task<void> ConnectorThread::watch_routing_file() {
  while (!stopping_) {
    co_await stop_.wait_until(std::chrono::steady_clock::now() + routing_file_interval);
    if (!stopping_) follow_routing_file();
  }
}

void ConnectorThread::follow_routing_file() {
  auto trouble = routing_file_->follow([this](routing::Routes routes) {
    if (psp_settings_.check) std::ranges::for_each(routes.accounts, psp_settings_.check);
    psps_->change(std::move(routes));
  });
  if (!trouble) return;
  if (trouble->empty()) {
    log_.info(fmt::format("The rules of {} are followed from now on", routing_file_->path()));
    // What no account took may have one now.
    wake_up_.notify();
  } else {
    log_.error(
        fmt::format("The routing file cannot be followed, and the rules from before are kept: {}", *trouble));
  }
  routing_trouble_gauge_->Set(trouble->empty() ? 0 : 1);
  const std::lock_guard lock(mutex_);
  routing_trouble_ = std::move(*trouble);
}

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
  auto output = psps_->is_simulated() ? std::string(simulated) : std::string();
  if (!output.empty() && concern) output += "; ";
  checks.push_back({"connector:psp", true, output + trouble, concern});
  if (!routing_file_) return checks;
  const std::lock_guard lock(mutex_);
  checks.push_back({"connector:routing", true, routing_trouble_, !routing_trouble_.empty()});
  return checks;
}

void ConnectorThread::start() {
  started_ = true;
  if (psps_->is_simulated()) say_what_the_psp_is(log_, psp_settings_.production);
  threads_.run(0, [this]() -> Task<void> {
    running_.spawn([this] { return connector_->run(); });
    if (worker_) taking_.spawn([this] { return worker_->run(); });
    // Without accounts, nobody sends events.
    if (routing_file_) watching_.spawn([this] { return watch_routing_file(); });
    if (routing_file_) hearing_.spawn([this] { return event_work_->run(); });
    co_return;
  });
}

ConnectorThread::~ConnectorThread() {
  stop();
  threads_.run(0, [this]() -> Task<void> {
    worker_.reset();
    event_work_.reset();
    connector_.reset();
    psps_.reset();
    psp_.reset();
    co_return;
  });
}

void ConnectorThread::stop() {
  if (!std::exchange(started_, false)) return;
  threads_.run(0, [this]() -> Task<void> {
    stopping_ = true;
    stop_.set();
    if (worker_) worker_->stop();
    co_await taking_.join_until(never);
    event_work_->stop();
    co_await hearing_.join_until(never);
    connector_->stop();
    co_await running_.join_until(never);
    co_await watching_.join_until(never);
    if (worker_) co_await worker_->sign_off();
  });
}

}  // namespace switchyard::connector
