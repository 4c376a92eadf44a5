// A routing file: what is taken holds what routes.hpp says, and each transaction finds its account or a
// reason; of what is wrong, a finding says where, in words that can be printed and repeat no secret.
#include <algorithm>
#include <set>
#include <string>

#include "base/utf8.hpp"
#include "fuzz/input.hpp"
#include "routing/choose.hpp"
#include "routing/parse.hpp"
#include "routing/warnings.hpp"

namespace switchyard::fuzz {
namespace {

using routing::Finding;
using routing::Routes;
using routing::Rule;
using routing::When;

constexpr std::string_view secret = "sk_live_QXZJWKVQXZJWKV";

bool is_of_a_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

void check_accounts(const Routes& routes) {
  SWITCHYARD_ASSERT(!routes.accounts.empty() && routes.accounts.size() <= routing::accounts_max);
  for (std::size_t i = 0; i < routes.accounts.size(); ++i) {
    const auto& account = routes.accounts[i];
    SWITCHYARD_ASSERT(!account.name.empty() && account.name.size() <= 64);
    SWITCHYARD_ASSERT(std::ranges::all_of(account.name, is_of_a_name));
    SWITCHYARD_ASSERT(routes.find_account(account.name) == i);
    for (const auto& [name, text] : account.texts) {
      SWITCHYARD_ASSERT(account.text(name) == text && text.find(secret) == std::string::npos);
    }
  }
}

void check_when(const When& when) {
  SWITCHYARD_ASSERT(std::ranges::is_sorted(when.currencies) && std::ranges::is_sorted(when.merchants));
  if (when.amount_min && when.amount_max) SWITCHYARD_ASSERT(*when.amount_min <= *when.amount_max);
  for (const auto& [from, to] : when.times) {
    SWITCHYARD_ASSERT(from >= std::chrono::minutes(0) && from < std::chrono::hours(24));
    SWITCHYARD_ASSERT(to >= std::chrono::minutes(0) && to <= std::chrono::hours(24));
  }
  for (const auto& [name, values] : when.metadata) {
    SWITCHYARD_ASSERT(!values.empty() && std::ranges::is_sorted(values));
  }
}

void check_rule(const Rule& rule, std::size_t accounts) {
  std::set<std::size_t> named(rule.fallback.begin(), rule.fallback.end());
  for (const auto& [account, weight] : rule.psp) {
    SWITCHYARD_ASSERT(weight >= 1 && weight <= routing::weight_max);
    named.insert(account);
  }
  SWITCHYARD_ASSERT(!rule.psp.empty() && named.size() == rule.psp.size() + rule.fallback.size());
  SWITCHYARD_ASSERT(*named.rbegin() < accounts);
  check_when(rule.when);
}

// A transaction that the input chooses.
routing::Asked asked_in(Input& input, const Routes& routes) {
  constexpr std::string_view currencies[] = {"EUR", "USD", "JPY", "KWD"};
  const auto currency = Currency::parse(currencies[input.below(4)]);
  const auto bytes = input.number<std::uint64_t>();
  Uuid id;
  std::copy_n(reinterpret_cast<const unsigned char*>(&bytes), sizeof(bytes), id.bytes.begin());
  routing::Asked asked{
      .id = {id},
      .merchant = {static_cast<std::int64_t>(input.below(4))},
      .amount = Money(static_cast<std::int64_t>(input.number<std::uint32_t>()) + 1, *currency),
      .created_at = Timestamp(std::chrono::minutes(input.number<std::uint32_t>())),
      .available = routing::AccountSet(input.number<std::uint64_t>()).flip()};
  for (std::size_t i = 0; i < routes.rules.size() && asked.metadata.empty(); ++i) {
    for (const auto& [name, values] : routes.rules[i].when.metadata)
      asked.metadata.emplace_back(name, values[0]);
  }
  std::ranges::sort(asked.metadata);
  return asked;
}

// As long as one takes it, each account is asked once at most, in the order of one rule.
void check_choices(const Routes& routes, const routing::Asked& asked) {
  routing::AccountSet tried;
  while (const auto choice = routing::choose(routes, asked, tried)) {
    SWITCHYARD_ASSERT(choice->account < routes.accounts.size() && !tried.test(choice->account));
    SWITCHYARD_ASSERT(asked.available.test(choice->account));
    SWITCHYARD_ASSERT(routing::find_rule(routes, asked) == choice->rule);
    tried.set(choice->account);
  }
  const auto none = routing::choose(routes, asked, tried).error();
  SWITCHYARD_ASSERT(none.rule == routing::find_rule(routes, asked));
}

void check_findings(const std::vector<Finding>& findings, std::string_view text) {
  SWITCHYARD_ASSERT(!findings.empty() && findings.size() <= routing::findings_max + 1);
  SWITCHYARD_ASSERT(std::ranges::is_sorted(findings, {}, &Finding::at));
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  for (const auto& finding : findings) {
    SWITCHYARD_ASSERT(finding.at.line >= 1 && finding.at.column >= 1 && finding.at.line <= lines);
    SWITCHYARD_ASSERT(!finding.wrong.empty() && !finding.right.empty());
    const auto words = to_string(finding);
    SWITCHYARD_ASSERT(words.find(secret) == std::string::npos && as_utf8(words) == words);
    SWITCHYARD_ASSERT(
        std::ranges::none_of(words, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }));
  }
}

}  // namespace

// A secret stands in the text at each '@'.
void check(Input input) {
  auto numbers = input;
  std::string text;
  for (const char c : input.rest()) text += c == '@' ? std::string(secret) : std::string(1, c);
  const auto routes = routing::parse(text);
  if (!routes) return check_findings(routes.error(), text);
  check_accounts(*routes);
  SWITCHYARD_ASSERT(!routes->rules.empty() && routes->rules.size() <= routing::rules_max);
  for (std::size_t i = 0; i < routes->rules.size(); ++i) {
    SWITCHYARD_ASSERT(routes->rules[i].number == i + 1);
    check_rule(routes->rules[i], routes->accounts.size());
  }
  check_choices(*routes, asked_in(numbers, *routes));
  const auto warnings = routing::warnings_of(*routes);
  if (!warnings.empty()) check_findings(warnings, text);
}

}  // namespace switchyard::fuzz
