// switchyard route check: what is wrong with a routing file, or what it says.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "routing/conditions.hpp"
#include "routing/warnings.hpp"
#include "service/program.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/routing_file.hpp"
#include "switchyard/routing_text.hpp"
#include "switchyard/transaction_client.hpp"

namespace switchyard::cli {
namespace {

namespace json = boost::json;

json::array to_json(const std::vector<routing::Finding>& findings) {
  json::array items;
  for (const auto& finding : findings) {
    items.push_back(json::object{{"line", finding.at.line},
                                 {"column", finding.at.column},
                                 {"wrong", finding.wrong},
                                 {"right", finding.right}});
  }
  return items;
}

json::object to_json(const routing::Rule& rule, const routing::Routes& routes) {
  json::object psp;
  for (const auto& share : rule.psp) psp.emplace(routes.accounts[share.account].name, share.weight);
  json::array fallback;
  for (const auto account : rule.fallback) fallback.emplace_back(routes.accounts[account].name);
  return {{"number", rule.number},       {"name", rule.name}, {"line", rule.line},
          {"when", words_of(rule.when)}, {"psp", psp},        {"fallback", fallback}};
}

json::object to_json(const routing::Routes& routes) {
  json::array accounts;
  for (const auto& account : routes.accounts) {
    accounts.push_back(json::object{
        {"name", account.name}, {"adapter", to_string(account.adapter)}, {"live", account.flag("live")}});
  }
  json::array rules;
  for (const auto& rule : routes.rules) rules.push_back(to_json(rule, routes));
  return {{"ok", true},
          {"accounts", accounts},
          {"rules", rules},
          {"warnings", to_json(routing::warnings_of(routes))}};
}

void print_summary(const std::string& path, const routing::Routes& routes) {
  for (const auto& line : summary_of(routes)) fmt::print("{}\n", line);
  for (const auto& warning : routing::warnings_of(routes)) {
    fmt::print("{}:{}: warning: {}; {}\n", path, warning.at.line, warning.wrong, warning.right);
  }
  fmt::print("{}: {} accounts, {} rules, nothing is wrong\n", path, routes.accounts.size(),
             routes.rules.size());
}

int check_as_json(const std::string& path) {
  const auto routes = read_routing_file(path);
  fmt::print("{}\n",
             json::serialize(routes ? to_json(*routes)
                                    : json::object{{"ok", false}, {"findings", to_json(routes.error())}}));
  return routes ? service::exit_ok : service::exit_configuration;
}

int check(const Context& context, const std::string& path) {
  if (context.json) return check_as_json(path);
  const auto routes = read_routes_or_say(path);
  if (!routes) return service::exit_configuration;
  print_summary(path, *routes);
  return service::exit_ok;
}

void add_check_command(CLI::App& route, Context& context) {
  auto file = std::make_shared<std::string>();
  auto* command = route.add_subcommand(
      "check", "Find all that is wrong with a routing file; say what it does if nothing is");
  command->add_option("file", *file, "The routing file")->required()->check(require_text);
  command->footer(
      "\nEach line on standard error is FILE:LINE:COLUMN: what is wrong; what would be right.\n"
      "Exit code: 0 if it can be served, also with warnings; 2 if not.\n"
      "Example:\n  switchyard route check routes.toml");
  command->callback(
      [&context, file] { context.action = [&context, file] { return check(context, *file); }; });
}

}  // namespace

void add_route_commands(CLI::App& app, Context& context) {
  auto* route = app.add_subcommand("route", "Check a routing file, and see where payments go by it and why");
  route->require_subcommand(1);
  add_check_command(*route, context);
  add_route_explain_command(*route, context);
  add_route_replay_command(*route, context);
}

}  // namespace switchyard::cli
