#include "switchyard/routing_text.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "money/printable.hpp"
#include "routing/conditions.hpp"
#include "routing/finding.hpp"
#include "routing/read_when.hpp"
#include "switchyard/times.hpp"

namespace switchyard::cli {
namespace {

using Said = std::expected<routing::Choice, routing::NoChoice>;

std::string place_of(std::uint32_t line) {
  return line == 0 ? std::string() : fmt::format(" (line {})", line);
}

std::string account_text(const routing::Account& account) {
  return fmt::format("account {}{}: {}{}", account.name, place_of(account.line), to_string(account.adapter),
                     account.flag("live") ? ", live: money moves" : "");
}

std::string rule_text(const routing::Rule& rule, const routing::Routes& routes) {
  return fmt::format("{}{}: {} -> {}", rule.label(), place_of(rule.line),
                     rule.when.takes_all() ? "everything" : words_of(rule.when), accounts_text(rule, routes));
}

std::string payment_methods_text(const routing::Adapters& adapters) {
  std::vector<std::string_view> names;
  for (const auto adapter : {routing::Adapter::stripe, routing::Adapter::adyen}) {
    if (adapters.test(std::to_underlying(adapter))) names.push_back(to_string(adapter));
  }
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

std::string metadata_text(const routing::Asked& asked) {
  std::vector<std::string> pairs;
  pairs.reserve(asked.metadata.size());
  for (const auto& [name, value] : asked.metadata) {
    pairs.push_back(fmt::format("{} = {}", routing::quoted(name), routing::quoted(value)));
  }
  return pairs.empty() ? "none" : fmt::format("{}", fmt::join(pairs, ", "));
}

std::string operation_text(const payment::Operation& operation) {
  const auto kind = payment::to_string(operation.reason.kind);
  return fmt::format("in fact: operation {} {}, {}{}", operation.number,
                     operation.psp.empty() ? "was not sent yet" : "went to " + printable(operation.psp),
                     payment::to_string(operation.phase), kind.empty() ? "" : fmt::format(" ({})", kind));
}

}  // namespace

std::string accounts_text(const routing::Rule& rule, const routing::Routes& routes) {
  std::vector<std::string> shares;
  shares.reserve(rule.psp.size());
  for (const auto& share : rule.psp) {
    const auto& name = routes.accounts[share.account].name;
    shares.push_back(rule.psp.size() == 1 ? name : fmt::format("{} {}", name, share.weight));
  }
  std::vector<std::string_view> fallback;
  fallback.reserve(rule.fallback.size());
  for (const auto account : rule.fallback) fallback.push_back(routes.accounts[account].name);
  return fmt::format("{}{}{}", fmt::join(shares, ", "), fallback.empty() ? "" : "; fallback ",
                     fmt::join(fallback, ", "));
}

std::vector<std::string> summary_of(const routing::Routes& routes) {
  std::vector<std::string> lines;
  lines.reserve(routes.accounts.size() + routes.rules.size());
  for (const auto& account : routes.accounts) lines.push_back(account_text(account));
  for (const auto& rule : routes.rules) lines.push_back(rule_text(rule, routes));
  return lines;
}

std::vector<std::string> payment_text(const routing::Asked& asked) {
  const auto moment = routing::moment_of(asked.created_at);
  return {
      fmt::format("payment {}: {} of merchant {}", asked.id.value.to_string(), asked.amount.to_string(),
                  asked.merchant.value),
      fmt::format("made at {}, {} {:02}:{:02} UTC", time_text(asked.created_at),
                  routing::weekday_name(moment.weekday), moment.since_midnight.count() / 60,
                  moment.since_midnight.count() % 60),
      fmt::format("payment_method: {}; metadata: {}", payment_methods_text(asked.payment_methods),
                  metadata_text(asked)),
  };
}

std::vector<payment::Operation> authorizations_of(const payment::State& state) {
  std::vector<payment::Operation> authorizations;
  std::ranges::copy_if(state.operations, std::back_inserter(authorizations),
                       [](const auto& operation) { return operation.kind == payment::Kind::authorize; });
  return authorizations;
}

bool went_as_said(const std::vector<payment::Operation>& authorizations, const Said& said,
                  const routing::Routes& routes) {
  if (authorizations.empty() || authorizations.front().psp.empty()) return true;
  return said && routes.accounts[said->account].name == authorizations.front().psp;
}

std::vector<std::string> fact_text(const std::vector<payment::Operation>& authorizations, const Said& said,
                                   const routing::Routes& routes) {
  if (authorizations.empty()) return {"in fact: nothing was sent yet"};
  std::vector<std::string> lines;
  lines.reserve(authorizations.size() + 1);
  for (const auto& operation : authorizations) lines.push_back(operation_text(operation));
  const auto& first = authorizations.front();
  if (first.psp.empty()) return lines;
  if (went_as_said(authorizations, said, routes)) {
    lines.emplace_back("it went where these rules send it");
  } else if (!routes.find_account(first.psp)) {
    lines.push_back(
        fmt::format("it went elsewhere: there is no account {} in this file", printable(first.psp)));
  } else {
    lines.emplace_back(
        "it went elsewhere: the rules were others, or an account was unavailable at that time");
  }
  return lines;
}

}  // namespace switchyard::cli
