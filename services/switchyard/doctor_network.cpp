#include "switchyard/doctor_network.hpp"

#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include "base/io_threads.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "redis/client.hpp"
#include "rq/redis_queue.hpp"
#include "service/settings.hpp"
#include "sqlite/in_use.hpp"
#include "store/open.hpp"
#include "switchyard/port_holder.hpp"

namespace switchyard::cli {
namespace {

constexpr std::chrono::milliseconds peer_time{2'000};

std::string get(const std::string& url) {
  const auto answer = http::send({.url = url, .body = {}, .headers = {}, .timeout = peer_time});
  return answer ? answer->body : std::string();
}

// Whether a service of ours says there how it is, well or not.
bool tells_its_health(const std::string& url) {
  return get(url).find(R"("status")") != std::string::npos;
}

// Good if a server of ours could listen there, or can as soon as the process `replaced` has ended.
Finding check_free(const std::string& subject, const std::string& variable, const std::string& host,
                   std::uint16_t port, std::optional<pid_t> replaced = {}) {
  try {
    telemetry::Metrics metrics;
    IoThreads threads(1);
    const http::Server server(threads, http::Router(metrics, "doctor"),
                              {.host = host, .port = port, .limits = {}});
    return good(subject, fmt::format("{}:{} is free", host, port));
  } catch (const std::exception& error) {
    const auto holder = find_port_holder(port);
    if (!holder) return bad(subject, error.what(), fmt::format("set HTTP_HOST and {}", variable));
    if (replaced && holder->process == replaced) {
      return good(subject, fmt::format("{}:{} is held by process {}", host, port, *replaced));
    }
    return bad(subject, fmt::format("{} {} is in use by {}", variable, port, holder->description),
               fmt::format("end that program, or take another port: {}={}", variable, free_port_after(port)));
  }
}

// Of the Switchyard that answers: a second one with the same settings, but started in another folder, has
// another store.
Finding check_same_store(const Environment& environment, const std::string& address) {
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url)) return good("port", "Switchyard answers on " + address);
  const auto path = store::sqlite_path(database_url);
  std::optional<pid_t> process;
  try {
    process = sqlite::process_that_uses(path);
  } catch (const std::runtime_error& error) {
    return bad("port", error.what(), "run doctor as the user that the services run as");
  }
  if (process) {
    return good("port",
                fmt::format("Switchyard answers on {}; process {} has the store open", address, *process));
  }
  return bad("port", fmt::format("Switchyard answers on {}, but no process has {} open", address, path),
             "it is over another store: set DATABASE_URL or HTTP_PORT to those of that server, or run this "
             "in its folder");
}

Task<Result<void>> ping(Executor executor, redis::Url url) {
  const auto deadline = std::chrono::steady_clock::now() + peer_time;
  Event ready(executor);
  redis::Client::Callbacks callbacks;
  callbacks.on_ready = [&ready] { ready.set(); };
  redis::Client client(executor, std::move(url), std::move(callbacks));
  client.start();
  co_await ready.wait_until(deadline);
  redis::Commands one{"PING"};
  const auto reply = co_await client.command(std::move(one), deadline);
  co_await client.stop();
  if (!reply) co_return std::unexpected(reply.error());
  co_return redis::require_no_error(*reply);
}

}  // namespace

Finding check_port(const Environment& environment) {
  try {
    const auto settings = service::read_http_settings(environment, 8080);
    const auto address = fmt::format("{}:{}", settings.host, settings.port);
    if (tells_its_health(service::local_url(settings) + "/auth/health")) {
      return check_same_store(environment, address);
    }
    return check_free("port", "HTTP_PORT", settings.host, settings.port);
  } catch (const ConfigError& error) {
    return bad("port", error.what(), "set HTTP_HOST and HTTP_PORT");
  }
}

Finding check_metrics_port(const Environment& environment) {
  try {
    auto settings = service::read_http_settings(environment, 8080);
    if (settings.metrics_port == 0) return good("metrics", "METRICS_PORT is not set: there are none");
    settings.port = settings.metrics_port;
    if (get(service::local_url(settings) + "/metrics").find("switchyard_") != std::string::npos) {
      return good("metrics", fmt::format("Switchyard answers on {}:{}", settings.host, settings.port));
    }
    return check_free("metrics", "METRICS_PORT", settings.host, settings.port);
  } catch (const ConfigError& error) {
    return bad("metrics", error.what(), "set METRICS_PORT");
  }
}

std::vector<Finding> check_ports_before_start(const Environment& environment, std::optional<pid_t> replaced) {
  const auto settings = service::read_http_settings(environment, 8080);
  std::vector findings{check_free("port", "HTTP_PORT", settings.host, settings.port, replaced)};
  if (settings.metrics_port != 0) {
    findings.push_back(check_free("metrics", "METRICS_PORT", settings.host, settings.metrics_port, replaced));
  }
  return findings;
}

Finding check_redis(const Environment& environment) {
  try {
    const auto settings = rq::read_redis_settings(environment);
    if (!settings) return good("redis", "REDIS_URL is not set: the store is the queue");
    IoThreads threads(1);
    const auto& url = settings->url;
    const auto answered = threads.run(0, [&threads, &url] { return ping(threads.executor(0), url); });
    if (answered) return good("redis", url.to_string() + " answers");
    return bad("redis", fmt::format("{}: {}", url.to_string(), answered.error().detail),
               "check REDIS_URL, and that the server runs and takes this user and password");
  } catch (const ConfigError& error) {
    return bad("redis", error.what(), "set REDIS_URL, or empty it: then the store is the queue");
  }
}

}  // namespace switchyard::cli
