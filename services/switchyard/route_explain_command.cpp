// switchyard route explain: where a payment goes by a routing file and why, and where a stored one went.
#include <algorithm>
#include <limits>
#include <optional>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "routing/explain.hpp"
#include "service/program.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/options.hpp"
#include "switchyard/routing_file.hpp"
#include "switchyard/routing_text.hpp"
#include "switchyard/stored_transaction.hpp"
#include "switchyard/times.hpp"
#include "switchyard/transaction_client.hpp"

namespace switchyard::cli {
namespace {

namespace json = boost::json;

struct ExplainOptions {
  std::string file;
  std::string stored_id;
  std::string amount;
  std::string currency;
  std::string merchant;
  std::string id;
  std::string at;
  std::vector<std::string> payment_methods;
  std::vector<std::string> metadata;
};

// A payment, and, of one that is stored, its authorizations.
struct Subject {
  routing::Asked asked;
  std::optional<std::vector<payment::Operation>> authorizations{};
};

std::string require_currency(const std::string& value) {
  if (Currency::parse(value)) return {};
  return "must be a current code of ISO 4217 in capital letters, such as EUR";
}

std::string require_pair(const std::string& value) {
  const auto equals = value.find('=');
  return equals == std::string::npos || equals == 0 ? "must be NAME=VALUE, such as channel=web" : "";
}

std::vector<std::pair<std::string, std::string>> metadata_of(const std::vector<std::string>& pairs) {
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    metadata.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  std::ranges::sort(metadata);
  const auto twice = std::ranges::adjacent_find(metadata, {}, &std::pair<std::string, std::string>::first);
  if (twice == metadata.end()) return metadata;
  throw ConfigError("--metadata", fmt::format("gives {} twice", routing::quoted(twice->first)),
                    "a payment has one value for each name");
}

// What is checked already.
std::int64_t number_of(const std::string& text) {
  return std::stoll(text);
}

Subject described(const ExplainOptions& options) {
  if (options.amount.empty() || options.currency.empty() || options.merchant.empty()) {
    throw ConfigError("route explain",
                      "needs --amount, --currency and --merchant, or the id of a transaction that is stored",
                      "for example: --amount 1000 --currency EUR --merchant 7");
  }
  const auto now = SystemClock().now();
  Subject subject{
      .asked = {.id = {options.id.empty() ? Uuid::generate() : Uuid::parse(options.id).value()},
                .merchant = {number_of(options.merchant)},
                .amount = Money(number_of(options.amount), Currency::parse(options.currency).value()),
                .created_at = options.at.empty() ? now : parse_moment(options.at).value(),
                .metadata = metadata_of(options.metadata)}};
  for (const auto& name : options.payment_methods) {
    subject.asked.payment_methods.set(std::to_underlying(routing::parse_adapter(name).value()));
  }
  return subject;
}

Subject stored(const Context& context, const std::string& id) {
  OfflineStore store(context.environment, store::Opening::read_only);
  const auto found = find_stored(store, id);
  const auto state =
      store.run([&found](store::Store& s) { return s.find_transaction(found.merchant, found.id); });
  return {.asked = routing::asked_of(state.transaction), .authorizations = authorizations_of(state)};
}

void print_text(const ExplainOptions& options, const Subject& subject,
                const routing::Explanation& explanation, const routing::Routes& routes) {
  auto lines = payment_text(subject.asked);
  if (options.stored_id.empty() && options.id.empty()) {
    lines.emplace_back("the id is made up, and accounts are drawn by it: --id gives another");
  }
  std::ranges::move(lines_of(explanation, routes), std::back_inserter(lines));
  if (subject.authorizations) {
    std::ranges::move(fact_text(*subject.authorizations, explanation.result, routes),
                      std::back_inserter(lines));
  }
  for (const auto& line : lines) fmt::print("{}\n", line);
}

json::object to_json(const routing::Explanation& explanation, const routing::Routes& routes) {
  json::array lines;
  for (const auto& line : lines_of(explanation, routes)) lines.emplace_back(line);
  const auto& result = explanation.result;
  const auto rule = result ? result->rule : result.error().rule;
  json::object object{
      {"account", nullptr}, {"how", nullptr}, {"why_none", nullptr}, {"rule", nullptr}, {"lines", lines}};
  if (rule) {
    object["rule"] = json::object{{"number", routes.rules[*rule].number},
                                  {"name", routes.rules[*rule].name},
                                  {"line", routes.rules[*rule].line}};
  }
  if (result) {
    object["account"] = routes.accounts[result->account].name;
    object["how"] = to_string(result->how);
  } else {
    object["why_none"] = to_string(result.error().why);
  }
  return object;
}

json::array to_json(const std::vector<payment::Operation>& authorizations) {
  json::array items;
  for (const auto& operation : authorizations) {
    items.push_back(json::object{{"operation", operation.number},
                                 {"account", operation.psp},
                                 {"phase", payment::to_string(operation.phase)},
                                 {"reason_kind", payment::to_string(operation.reason.kind)}});
  }
  return items;
}

void print_json(const Subject& subject, const routing::Explanation& explanation,
                const routing::Routes& routes) {
  json::object object{{"id", subject.asked.id.value.to_string()},
                      {"created_at", time_text(subject.asked.created_at)}};
  for (auto& member : to_json(explanation, routes)) object.insert(member);
  if (subject.authorizations) {
    object["went"] = to_json(*subject.authorizations);
    object["went_as_said"] = went_as_said(*subject.authorizations, explanation.result, routes);
  }
  fmt::print("{}\n", json::serialize(object));
}

int explain(const Context& context, const ExplainOptions& options) {
  const auto path = routing_file_of(context.environment, options.file);
  const auto routes = path.empty() ? routing::only_simulator() : read_routes_or_say(path);
  if (!routes) return service::exit_configuration;
  const auto subject = options.stored_id.empty() ? described(options) : stored(context, options.stored_id);
  const auto explanation = routing::explain(*routes, subject.asked, {});
  if (context.json) {
    print_json(subject, explanation, *routes);
  } else {
    print_text(options, subject, explanation, *routes);
  }
  return service::exit_ok;
}

// Of a payment that is described: not beside the id of one that is stored.
void add_description(CLI::App& command, ExplainOptions& options, CLI::Option& stored_id) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const std::vector described{
      command.add_option("--amount", options.amount, "In minor units: 100 with USD is one dollar")
          ->check(whole_number(1, most)),
      command.add_option("--currency", options.currency, "ISO 4217 code")->check(require_currency),
      command.add_option("--merchant", options.merchant, "The merchant's user_id")
          ->check(whole_number(std::numeric_limits<std::int64_t>::min(), most)),
      command
          .add_option("--payment-method", options.payment_methods,
                      "An adapter that the merchant gave a payment_method for; once for each")
          ->check(CLI::IsMember({"stripe", "adyen"}))
          ->allow_extra_args(false),
      command.add_option("--metadata", options.metadata, "NAME=VALUE; once for each")
          ->check(require_pair)
          ->allow_extra_args(false),
      command
          .add_option("--at", options.at,
                      "When it is made: a date (UTC), or a time with its offset (default: now)")
          ->check(require_moment),
      command
          .add_option("--id", options.id,
                      "The transaction's id, by which accounts are drawn (default: a new one)")
          ->check(require_transaction_id)};
  for (auto* option : described) option->excludes(&stored_id);
}

}  // namespace

void add_route_explain_command(CLI::App& route, Context& context) {
  auto options = std::make_shared<ExplainOptions>();
  auto* command = route.add_subcommand(
      "explain", "Tell where a payment goes by the rules, and why; of a stored one also where it went");
  command->add_option("--file", options->file, "The routing file (default: that of ROUTING_FILE, or none)")
      ->check(require_text);
  auto* id = command->add_option("id", options->stored_id, "A transaction in the store of DATABASE_URL")
                 ->check(require_transaction_id);
  add_description(*command, *options, *id);
  command->footer(
      "\nEvery account is taken for available. Without a routing file all goes to the simulated PSP of the process.\n"
      "Examples:\n"
      "  switchyard route explain --file routes.toml --amount 1000 --currency EUR --merchant 7 --metadata channel=web\n"
      "  switchyard --env-file .env route explain 01a203e7-cd8f-7925-813d-9190694d7e2c");
  command->callback(
      [&context, options] { context.action = [&context, options] { return explain(context, *options); }; });
}

}  // namespace switchyard::cli
