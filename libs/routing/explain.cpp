#include "routing/explain.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace switchyard::routing {
namespace {

std::string line_of_rule(const RuleVerdict& verdict, const Routes& routes) {
  const auto& rule = routes.rules[verdict.rule];
  // A rule that stands in no file.
  const auto where = rule.line == 0 ? std::string() : fmt::format(" (line {})", rule.line);
  if (!verdict.unmet.empty()) {
    return fmt::format("{}{} does not match: {}", rule.label(), where, fmt::join(verdict.reasons, "; "));
  }
  const auto behind = routes.rules.size() - verdict.rule - 1;
  return fmt::format("{}{} matches{}", rule.label(), where,
                     behind == 0 ? "" : fmt::format("; {} behind it are not looked at", behind));
}

std::string line_of_weights(const Rule& rule, const Routes& routes) {
  std::vector<std::string> weights;
  weights.reserve(rule.psp.size());
  for (const auto& share : rule.psp) {
    weights.push_back(fmt::format("{} {}", routes.accounts[share.account].name, share.weight));
  }
  return fmt::format("weights: {}", fmt::join(weights, ", "));
}

std::string line_of_candidate(const Candidate& candidate, std::size_t number, const Routes& routes) {
  const auto& name = routes.accounts[candidate.account].name;
  if (!candidate.drawn)
    return fmt::format("fallback {} is {}: {}", number, name, to_string(candidate.standing));
  return fmt::format("draw {} is {} of {}, {}: {}", number, candidate.drawn->position, candidate.drawn->total,
                     name, to_string(candidate.standing));
}

std::string line_of_result(const std::expected<Choice, NoChoice>& result, const Routes& routes) {
  if (!result) return fmt::format("goes nowhere: {}", to_string(result.error().why));
  return fmt::format("goes to {}, {}", routes.accounts[result->account].name, to_string(result->how));
}

RuleVerdict verdict_on(const Routes& routes, std::size_t rule, const Asked& asked, const Moment& moment) {
  RuleVerdict verdict{.rule = rule};
  const auto& when = routes.rules[rule].when;
  for (const auto condition : all_conditions) {
    if (holds(condition, when, asked, moment)) continue;
    verdict.unmet.push_back(condition);
    verdict.reasons.push_back(why_not(condition, when, asked, moment));
  }
  return verdict;
}

}  // namespace

Explanation explain(const Routes& routes, const Asked& asked, const AccountSet& tried) {
  Explanation explanation{.rules = {}, .candidates = {}, .result = choose(routes, asked, tried)};
  const auto matched = explanation.result ? explanation.result->rule : explanation.result.error().rule;
  const auto moment = moment_of(asked.created_at);
  const auto end = matched ? *matched + 1 : routes.rules.size();
  for (std::size_t rule = 0; rule < end; ++rule) {
    explanation.rules.push_back(verdict_on(routes, rule, asked, moment));
  }
  if (!matched) return explanation;
  for_each_account(routes.rules[*matched], asked.id, [&](std::size_t account, How how, const Drawn* drawn) {
    explanation.candidates.push_back({.account = account,
                                      .how = how,
                                      .drawn = drawn == nullptr ? std::nullopt : std::optional(*drawn),
                                      .standing = standing_of(routes, account, asked, tried)});
    return false;
  });
  return explanation;
}

std::vector<std::string> lines_of(const Explanation& explanation, const Routes& routes) {
  std::vector<std::string> lines;
  lines.reserve(explanation.rules.size() + explanation.candidates.size() + 2);
  for (const auto& verdict : explanation.rules) lines.push_back(line_of_rule(verdict, routes));
  if (!explanation.candidates.empty()) {
    const auto& rule = routes.rules[explanation.rules.back().rule];
    lines.push_back(line_of_weights(rule, routes));
    std::size_t draws = 0;
    std::size_t fallbacks = 0;
    for (const auto& candidate : explanation.candidates) {
      lines.push_back(line_of_candidate(candidate, candidate.drawn ? ++draws : ++fallbacks, routes));
    }
  }
  lines.push_back(line_of_result(explanation.result, routes));
  return lines;
}

}  // namespace switchyard::routing
