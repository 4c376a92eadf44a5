// switchyard doctor: looks at everything `serve` needs, and says what to do where something is wrong.
#include <filesystem>

#include <fmt/format.h>
#include <sys/timex.h>
#include <unistd.h>

#include "auth-api/auth_api.hpp"
#include "core-api/core_api.hpp"
#include "http/client.hpp"
#include "http/json.hpp"
#include "http/server.hpp"
#include "psp-connector/connector_thread.hpp"
#include "service/program.hpp"
#include "sqlite/database.hpp"
#include "store/open.hpp"
#include "store/postgres/inspect.hpp"
#include "store/sqlite/schema.hpp"
#include "switchyard/command_line.hpp"

namespace switchyard::cli {
namespace {

constexpr std::uintmax_t free_bytes_min = 1024ULL * 1024 * 1024;

struct Finding {
  std::string subject;
  bool good = false;
  std::string text;
  // What to do; empty if all is well.
  std::string remedy;
};

Finding good(std::string subject, std::string text) {
  return {std::move(subject), true, std::move(text), {}};
}
Finding bad(std::string subject, std::string text, std::string remedy) {
  return {std::move(subject), false, std::move(text), std::move(remedy)};
}

Finding check_configuration(const Environment& environment) {
  try {
    const auto http = service::read_http_settings(environment, 8080);
    const auto auth_settings = auth::read_settings(environment);
    core::read_settings(environment);
    connector::read_settings(environment);
    connector::read_psp_settings(environment);
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

// The folder of a path, or the nearest one above it that exists.
std::filesystem::path existing_folder(const std::string& path) {
  std::error_code ignored;
  auto folder = std::filesystem::absolute(path).parent_path();
  while (!std::filesystem::exists(folder, ignored) && folder.has_relative_path())
    folder = folder.parent_path();
  return folder;
}

Finding check_new_store(const std::string& path) {
  const auto folder = existing_folder(path);
  if (!std::filesystem::is_directory(folder) || ::access(folder.c_str(), W_OK) != 0) {
    return bad("store", fmt::format("{} cannot be created below {}", path, folder.string()),
               "name a file in DATABASE_URL whose folder this user may write");
  }
  return good("store", path + " does not exist yet; serve creates it");
}

Finding check_postgres(const std::string& database_url) {
  try {
    const auto found = store::inspect_postgres(database_url);
    if (found.schema_version == 0) {
      return good("store",
                  fmt::format("PostgreSQL {}, no tables yet; serve creates them", found.server_version));
    }
    return good("store", fmt::format("PostgreSQL {}, schema version {}, {} users", found.server_version,
                                     found.schema_version, found.users));
  } catch (const std::exception& error) {
    return bad("store", error.what(),
               "check DATABASE_URL, that the server runs, and that its pg_hba.conf lets this user in");
  }
}

Finding check_store(const Environment& environment) {
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url)) return check_postgres(database_url);
  try {
    const auto path = store::sqlite_path(database_url);
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return check_new_store(path);
    sqlite::Database database(path, sqlite::Durability::synced, sqlite::Access::read_only);
    store::require_known_schema(database);
    auto row = database.query("PRAGMA quick_check(1)");
    if (!row.step() || row.text(0) != "ok") {
      return bad(
          "store", path + " is damaged",
          "stop the server, keep a copy of the file, and restore a backup or try: sqlite3 FILE .recover");
    }
    return good("store", fmt::format("{}, {} users", path, database.integer("SELECT count(*) FROM users")));
  } catch (const ConfigError& error) {
    return bad("store", error.what(), "set DATABASE_URL");
  } catch (const std::exception& error) {
    return bad("store", error.what(),
               "check that the file is a Switchyard store and that this user may write it and its folder");
  }
}

// Whether a service of ours says there how it is, well or not.
bool tells_its_health(const std::string& url) {
  const auto health =
      http::send({.url = url, .body = {}, .headers = {}, .timeout = std::chrono::milliseconds(2'000)});
  return health && health->body.find(R"("status")") != std::string::npos;
}

Finding check_port(const Environment& environment) {
  service::HttpSettings settings;
  try {
    settings = service::read_http_settings(environment, 8080);
  } catch (const ConfigError& error) {
    return bad("port", error.what(), "set HTTP_HOST and HTTP_PORT");
  }
  const auto address = fmt::format("{}:{}", settings.host, settings.port);
  if (tells_its_health(service::local_url(settings) + "/auth/health"))
    return good("port", "Switchyard answers on " + address);
  try {
    telemetry::Metrics metrics;
    IoThreads threads(1);
    const http::Server server(threads, http::Router(metrics, "doctor"),
                              {.host = settings.host, .port = settings.port, .limits = {}});
    return good("port", address + " is free");
  } catch (const std::exception& error) {
    return bad(
        "port", error.what(),
        fmt::format("another program has it; see: ss -ltnp 'sport = :{}', or set HTTP_PORT", settings.port));
  }
}

Finding check_psp(const Environment& environment) {
  try {
    if (!environment.find("PSP_URL")) return good("psp", "the simulated one in this process; no money moves");
    const auto url = connector::read_psp_settings(environment).url;
    // The address stays out of the text: it may hold a password.
    if (tells_its_health(url + (url.ends_with('/') ? "health" : "/health"))) {
      return good("psp", "psp-simulator answers at PSP_URL; no money moves");
    }
    return bad("psp", "nobody answers at PSP_URL",
               "start psp-simulator there, or empty PSP_URL for the simulated PSP in this process");
  } catch (const ConfigError& error) {
    return bad("psp", error.what(), "set PSP_URL, or empty it for the simulated PSP in this process");
  }
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

// Where the store is or would be; here, if it is on another machine, or DATABASE_URL is wrong, which the
// check of the store says.
std::string path_or_here(const Environment& environment) {
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url)) return ".";
  try {
    return store::sqlite_path(database_url);
  } catch (const ConfigError&) {
    return ".";
  }
}

Finding check_disk(const Environment& environment) {
  const auto folder = existing_folder(path_or_here(environment));
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error) {
    return bad("disk", fmt::format("{}: {}", folder.string(), error.message()),
               "check that the folder can be read");
  }
  const auto text = fmt::format("{} MiB free at {}", space.available / 1024 / 1024, folder.string());
  if (space.available < free_bytes_min) {
    return bad("disk", text, "free some space: 1,000,000 transactions take about 0.5 GiB");
  }
  return good("disk", text);
}

void print(const Context& context, const std::vector<Finding>& findings) {
  if (!context.json) {
    for (const auto& finding : findings) {
      fmt::print("{:<5} {:<14} {}\n", finding.good ? "ok" : "WRONG", finding.subject, finding.text);
      if (!finding.good) fmt::print("{:<20} -> {}\n", "", finding.remedy);
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

int examine(const Context& context) {
  const auto& environment = context.environment;
  const std::vector<Finding> findings{check_configuration(environment),
                                      check_store(environment),
                                      check_port(environment),
                                      check_psp(environment),
                                      check_clock(),
                                      check_disk(environment)};
  print(context, findings);
  return std::ranges::all_of(findings, &Finding::good) ? service::exit_ok : service::exit_failure;
}

}  // namespace

void add_doctor_command(CLI::App& app, Context& context) {
  app.add_subcommand("doctor", "Check configuration, store, port, PSP, clock and disk")->callback([&context] {
    context.action = [&context] { return examine(context); };
  });
}

}  // namespace switchyard::cli
