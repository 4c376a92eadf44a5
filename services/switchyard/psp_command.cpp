// switchyard psp list: the accounts at PSPs, whether they are complete, and how they fared lately.
#include <memory>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "http/client.hpp"
#include "psp-connector/psp_metrics.hpp"
#include "service/program.hpp"
#include "switchyard/attempt_ranges.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/offline.hpp"
#include "switchyard/options.hpp"
#include "switchyard/psp_accounts.hpp"
#include "switchyard/psp_text.hpp"
#include "switchyard/routing_file.hpp"
#include "switchyard/times.hpp"
#include "switchyard/transaction_client.hpp"

namespace switchyard::cli {
namespace {

namespace json = boost::json;

// However many there are: each costs a look at its operations.
constexpr std::size_t payments_max = 10'000;
constexpr std::chrono::milliseconds connector_time{2'000};

struct ListOptions {
  std::string file;
  std::string since = "1h";
};

// Their text, or why there are none.
std::expected<std::string, std::string> read_metrics(const Environment& environment) {
  auto settings = service::read_http_settings(environment, 8080);
  if (settings.metrics_port == 0) {
    return std::unexpected("METRICS_PORT is not set, so no connector can be asked");
  }
  settings.port = settings.metrics_port;
  const auto url = service::local_url(settings) + "/metrics";
  auto answer = http::send({.url = url, .body = {}, .headers = {}, .timeout = connector_time});
  if (!answer || answer->status != 200) {
    return std::unexpected(fmt::format("no connector answers at {}", url));
  }
  if (answer->body.find(fmt::format("\n{}{{", connector::breaker_gauge)) == std::string::npos) {
    return std::unexpected(fmt::format("what answers at {} is no connector", url));
  }
  return std::move(answer->body);
}

void add_breakers(PspList& list, const Environment& environment) {
  const auto metrics = read_metrics(environment);
  if (!metrics) {
    list.breaker_unknown = metrics.error();
    return;
  }
  std::string others;
  for (auto& row : list.rows) {
    row.breaker = breaker_in(*metrics, connector::breaker_gauge, connector::half_open_gauge, row.name);
    if (!row.breaker) others += (others.empty() ? "" : ", ") + row.name;
  }
  if (!others.empty()) list.breaker_unknown = fmt::format("the connector that answers has no {}", others);
}

void add_rates(PspList& list, const store::RecentAttempts& recent) {
  auto rates = rates_of(recent);
  for (auto& row : list.rows) {
    if (auto found = rates.extract(row.name)) row.rates = std::move(found.mapped());
  }
  for (const auto& [name, left] : rates) list.elsewhere += left.attempts();
  list.payments = recent.payments;
  if (recent.payments >= payments_max && recent.oldest) list.cut_off_at = time_of(*recent.oldest);
}

json::object to_json(const PspRow& row, bool has_breakers) {
  const auto& rates = row.rates;
  json::object object{{"name", row.name},
                      {"adapter", routing::to_string(row.adapter)},
                      {"complete", row.missing.empty()},
                      {"missing", nullptr},
                      {"breaker", nullptr},
                      {"attempts", rates.attempts()},
                      {"succeeded", rates.succeeded},
                      {"declined", rates.declined},
                      {"unknown", rates.unknown},
                      {"failed", rates.failed},
                      {"open", rates.open},
                      {"last_error", nullptr}};
  if (!row.missing.empty()) object["missing"] = row.missing;
  if (!has_breakers) object["breaker"] = "none";
  if (row.breaker) object["breaker"] = routing::to_string(*row.breaker);
  if (rates.last_error) {
    object["last_error"] =
        json::object{{"at", time_text(rates.last_error->at)}, {"text", rates.last_error->text}};
  }
  return object;
}

json::object to_json(const PspList& list) {
  json::array accounts;
  for (const auto& row : list.rows) accounts.push_back(to_json(row, list.has_breakers));
  json::object object{{"since", time_text(list.since)}, {"cut_off_at", nullptr},
                      {"payments", list.payments},      {"elsewhere", list.elsewhere},
                      {"breaker_unknown", nullptr},     {"accounts", accounts}};
  if (list.cut_off_at) object["cut_off_at"] = time_text(*list.cut_off_at);
  if (!list.breaker_unknown.empty()) object["breaker_unknown"] = list.breaker_unknown;
  return object;
}

void print(const Context& context, const PspList& list) {
  if (context.json) {
    fmt::print("{}\n", json::serialize(to_json(list)));
    return;
  }
  for (const auto& line : lines_of(list)) fmt::print("{}\n", line);
}

PspList accounts_of(const routing::Routes& routes, const Environment& environment) {
  const auto missing = missing_of(routes, environment);
  PspList list;
  for (std::size_t i = 0; i < routes.accounts.size(); ++i) {
    const auto& account = routes.accounts[i];
    list.rows.push_back({.name = account.name, .adapter = account.adapter, .missing = missing[i]});
  }
  return list;
}

int list_psps(const Context& context, const ListOptions& options) {
  const auto& environment = context.environment;
  const auto now = SystemClock().now();
  const auto since = parse_since(options.since, now).value();
  if (since > now) throw ConfigError("--since", "is in the future", "for example --since 1h");
  const auto file = routing_file_of(environment, options.file);
  // As a connector without one calls it.
  const auto* const simulator = environment.find("PSP_URL") ? "psp-simulator" : "simulator";
  const auto routes = file.empty() ? routing::only_simulator(simulator) : read_routes_or_say(file);
  if (!routes) return service::exit_configuration;
  OfflineStore store(environment, store::Opening::read_only);
  const auto recent = store.run(
      [since](store::Store& s) { return s.list_recent_attempts(first_id_at(since), payments_max); });
  auto list = accounts_of(*routes, environment);
  list.since = since;
  add_rates(list, recent);
  list.has_breakers = !file.empty();
  if (list.has_breakers) add_breakers(list, environment);
  print(context, list);
  if (recent.unreadable == 0) return service::exit_ok;
  // What was printed is printed before it is said that there is more.
  service::finish_output();
  throw std::runtime_error(fmt::format("it is not complete; left out were {} that cannot be read, such as {}",
                                       recent.unreadable, store.set_aside().example));
}

}  // namespace

void add_psp_commands(CLI::App& app, Context& context) {
  auto* psp = app.add_subcommand("psp", "Look at the accounts at PSPs");
  psp->require_subcommand(1);
  auto options = std::make_shared<ListOptions>();
  auto* command = psp->add_subcommand(
      "list", "List the accounts: whether they are complete, their breakers, how they fared lately");
  command->add_option("--file", options->file, "The routing file (default: that of ROUTING_FILE, or none)")
      ->check(require_text);
  command
      ->add_option("--since", options->since,
                   "Payments made since: an age such as 1h, 30m or 7d, a date, or a time (default: 1h)")
      ->check(require_since);
  command->footer(
      "\nCounted are authorizations in the store of DATABASE_URL: of the newest 10000 payments at most, and it is said\n"
      "where there are more. `open` in JSON are those under way. FAILED never reached the PSP, or it did not take what\n"
      "it was sent. Breakers are those of the connector whose metrics are at METRICS_PORT; where none answers they are\n"
      "not known. Nobody else is asked: doctor asks the PSPs.\n"
      "Exit code 1, after all else was printed, if there are rows that this version cannot read.\n"
      "Example:\n  switchyard --env-file .env psp list --since 30m");
  command->callback(
      [&context, options] { context.action = [&context, options] { return list_psps(context, *options); }; });
}

}  // namespace switchyard::cli
