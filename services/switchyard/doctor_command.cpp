// switchyard doctor: looks at everything `serve` needs, and says what to do where something is wrong.
#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/timex.h>

#include "auth-api/auth_api.hpp"
#include "core-api/core_api.hpp"
#include "http/json.hpp"
#include "psp-connector/connector_thread.hpp"
#include "rq/redis_queue.hpp"
#include "service/program.hpp"
#include "store/open.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/doctor_network.hpp"
#include "switchyard/doctor_psp.hpp"
#include "switchyard/doctor_store.hpp"
#include "switchyard/known_settings.hpp"

namespace switchyard::cli {
namespace {

Finding check_configuration(const Environment& environment) {
  try {
    const auto http = service::read_http_settings(environment, 8080);
    const auto auth_settings = auth::read_settings(environment);
    core::read_settings(environment);
    connector::read_settings(environment);
    connector::read_psp_settings(environment);
    rq::read_redis_settings(environment);
    service::read_stop_times(environment);
    service::make_log(environment);
    const auto database_url = service::read_database_url(environment);
    if (!store::is_postgres(database_url)) store::sqlite_path(database_url);
    return good(
        "configuration",
        fmt::format("{}, port {}", auth_settings.production ? "production" : "development", http.port));
  } catch (const ConfigError& error) {
    return bad("configuration", error.what(),
               "set it in the environment or in the file given with --env-file");
  }
}

// The file of --env-file: who may read it, and whether each of its names is a setting and stands there once.
Finding check_env_file(const Context& context) {
  if (context.env_file.empty()) return good("env file", "none; settings come from the environment");
  struct stat status{};
  // The package's file belongs to root and is read by the group that the services run as.
  if (::stat(context.env_file.c_str(), &status) == 0 && (status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return bad("env file",
               fmt::format("others may read or change {}, which holds a secret", context.env_file),
               fmt::format("chmod o-rwx,g-w '{}'", context.env_file));
  }
  const auto doubtful = doubtful_settings(context.environment);
  if (!doubtful.empty()) {
    return bad("env file", fmt::format("{}", fmt::join(doubtful, "; ")),
               "correct or remove the line; .env.example has all settings");
  }
  return good("env file", context.env_file +
                              ": each name is a setting and stands there once, and others may "
                              "not read it");
}

Finding check_clock() {
  timex state{};
  const bool synchronized = ::adjtimex(&state) != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
  const auto year =
      std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(SystemClock().now())).year();
  if (year < std::chrono::year(2025)) {
    return bad("clock", fmt::format("the year is {}", static_cast<int>(year)),
               "set the clock: tokens are valid for seconds only");
  }
  // A container sees its host's clock and cannot always tell whether that one is synchronized.
  return good(
      "clock",
      synchronized
          ? "synchronized"
          : "not known to be synchronized; with several machines run NTP, tokens are valid for seconds only");
}

void print(const Context& context, const std::vector<Finding>& findings) {
  if (!context.json) {
    for (const auto& finding : findings) {
      const auto* const how = !finding.good ? "WRONG" : finding.remedy.empty() ? "ok" : "warn";
      fmt::print("{:<5} {:<14} {}\n", how, finding.subject, finding.text);
      if (!finding.remedy.empty()) fmt::print("{:<20} -> {}\n", "", finding.remedy);
    }
    return;
  }
  fmt::print("[");
  for (const auto& finding : findings) {
    fmt::print(R"({}{{"check":"{}","ok":{},"text":{},"remedy":{}}})",
               &finding == &findings.front() ? "" : ",", finding.subject, finding.good,
               http::json_string(finding.text), http::json_string(finding.remedy));
  }
  fmt::print("]\n");
}

std::vector<Finding> examine_all(const Context& context) {
  const auto& environment = context.environment;
  std::vector<Finding> findings;
  findings.push_back(check_configuration(environment));
  findings.push_back(check_env_file(context));
  // Before the store is opened: whoever closes it last takes its -wal and -shm away.
  findings.push_back(check_store_files(environment));
  findings.push_back(check_store(environment));
  findings.push_back(check_port(environment));
  findings.push_back(check_metrics_port(environment));
  findings.push_back(check_redis(environment));
  std::ranges::move(check_psps(environment), std::back_inserter(findings));
  findings.push_back(check_clock());
  findings.push_back(check_disk(environment));
  return findings;
}

// What a start depends on, and nothing that a running server would not need to be stopped for.
std::vector<Finding> examine_before_start(const Context& context, std::optional<pid_t> replaced) {
  std::vector findings{check_configuration(context.environment)};
  if (findings.front().good) {
    std::ranges::move(check_ports_before_start(context.environment, replaced), std::back_inserter(findings));
  }
  return findings;
}

struct DoctorOptions {
  bool before_start = false;
  std::optional<pid_t> replaced;
};

int examine(const Context& context, const DoctorOptions& options) {
  const auto findings =
      options.before_start ? examine_before_start(context, options.replaced) : examine_all(context);
  print(context, findings);
  return std::ranges::all_of(findings, &Finding::good) ? service::exit_ok : service::exit_failure;
}

}  // namespace

void add_doctor_command(CLI::App& app, Context& context) {
  auto options = std::make_shared<DoctorOptions>();
  auto* command =
      app.add_subcommand("doctor", "Check settings, store, files, ports, Redis, PSPs, clock and disk");
  auto* before_start = command->add_flag("--before-start", options->before_start,
                                         "Only whether `serve` would take these settings and could listen");
  command
      ->add_option("--replacing", options->replaced,
                   "With --before-start: this process, which is to be stopped, may hold the ports")
      ->needs(before_start)
      ->type_name("PID");
  command->callback(
      [&context, options] { context.action = [&context, options] { return examine(context, *options); }; });
}

}  // namespace switchyard::cli
