#include "routing/read_rules.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "money/printable.hpp"
#include "routing/read_when.hpp"
#include "routing/reading.hpp"

namespace switchyard::routing {
namespace {

constexpr std::size_t rule_name_bytes_max = 64;
constexpr auto rule_members = std::to_array<std::string_view>({"name", "when", "psp", "fallback"});
constexpr std::string_view psp_right = "write psp = \"a\", or psp = { a = 70, b = 30 }";

class RuleReader {
 public:
  RuleReader(const std::vector<Account>& accounts, Findings& findings) : findings_(findings) {
    for (const auto& account : accounts) names_.push_back(account.name);
  }

  Rule read(const Value& value, std::size_t number) {
    rule_ = Rule{.number = number, .line = value.at.line};
    named_.reset();
    if (!is_kind(Value::Kind::table, value, "rule", "write [[rule]] and its members below", findings_)) {
      return rule_;
    }
    if (const auto* name = find_member(value, "name")) read_name(*name);
    check_members(value, rule_.label(), rule_members, findings_);
    if (const auto* when = find_member(value, "when")) rule_.when = read_when(*when, findings_);
    if (const auto* psp = find_member(value, "psp")) {
      read_psp(*psp);
    } else {
      findings_.add(value.at, fmt::format("{} has no psp", rule_.label()), std::string(psp_right));
    }
    if (const auto* fallback = find_member(value, "fallback")) read_fallback(*fallback);
    return rule_;
  }

 private:
  void read_name(const Value& value) {
    if (!is_kind(Value::Kind::text, value, "name", "write a text, such as \"night\"", findings_)) return;
    if (value.text.empty() || printable(value.text, rule_name_bytes_max) != value.text) {
      findings_.add(value.at, fmt::format("{} is no name of a rule", quoted(value.text)),
                    fmt::format("write 1 to {} characters that can be printed", rule_name_bytes_max));
      return;
    }
    // It is found already, and what is said of the rule would repeat it.
    if (looks_like_secret(value.text)) return;
    rule_.name = value.text;
    const auto [first, is_new] = lines_of_names_.emplace(value.text, value.at.line);
    if (is_new) return;
    findings_.add(value.at, fmt::format("a second rule {}", quoted(value.text)),
                  fmt::format("write another name; the first one is in line {}", first->second));
  }

  void read_psp(const Value& value) {
    if (value.kind == Value::Kind::text) {
      if (const auto account = name_account(value.text, value.at)) rule_.psp.push_back({*account, 1});
      return;
    }
    if (!is_kind(Value::Kind::table, value, "psp", psp_right, findings_)) return;
    if (value.items.empty()) findings_.add(value.at, "psp names no account", std::string(psp_right));
    for (const auto& member : value.items) {
      const auto account = name_account(member.name, member.named_at);
      const auto weight = read_weight(member);
      if (account && weight) rule_.psp.push_back({*account, *weight});
    }
  }

  std::optional<std::int64_t> read_weight(const Value& member) {
    const auto what = fmt::format("the weight of {}", quoted(member.name));
    const auto right = fmt::format("write a whole number from 1 to {}", weight_max);
    if (!is_kind(Value::Kind::whole_number, member, what, right, findings_)) return std::nullopt;
    const auto weight = member.number;
    if (weight >= 1 && weight <= weight_max) return weight;
    findings_.add(member.at, fmt::format("{} is {}", what, weight),
                  weight == 0 ? right + ", or name the account under fallback, or leave it out" : right);
    return std::nullopt;
  }

  void read_fallback(const Value& value) {
    constexpr std::string_view right = "write the name of an account, or a list of them";
    // Nothing to fall back to is no mistake.
    if (value.kind == Value::Kind::list && value.items.empty()) return;
    for (const auto* item : one_or_more(value, "fallback", findings_)) {
      if (!is_kind(Value::Kind::text, *item, "fallback", right, findings_)) continue;
      if (const auto account = name_account(item->text, item->at)) rule_.fallback.push_back(*account);
    }
  }

  // Nothing: there is none, or the rule has named it before.
  std::optional<std::size_t> name_account(std::string_view name, Position at) {
    const auto found = std::ranges::find(names_, name);
    if (found == names_.end()) {
      findings_.add(at, fmt::format("there is no account {}", quoted(name)), right_name(name, names_));
      return std::nullopt;
    }
    const auto account = static_cast<std::size_t>(found - names_.begin());
    if (named_.test(account)) {
      findings_.add(at, fmt::format("account {} stands twice in {}", quoted(name), rule_.label()),
                    "leave it out here: no payment goes to an account twice");
      return std::nullopt;
    }
    named_.set(account);
    return account;
  }

  Findings& findings_;
  std::vector<std::string_view> names_;
  std::map<std::string, std::uint32_t, std::less<>> lines_of_names_;
  Rule rule_;
  AccountSet named_;
};

// A rule takes all if its `when` was read and says nothing: one that says something wrong is found already.
void check_reach(const Value& rules, const std::vector<Rule>& read, Findings& findings) {
  const auto takes_all = [&](const Rule& rule) {
    const auto& value = rules.items[rule.number - 1];
    const auto* when = find_member(value, "when");
    return value.kind == Value::Kind::table &&
           (when == nullptr || (when->kind == Value::Kind::table && when->items.empty()));
  };
  const auto first = std::ranges::find_if(read, takes_all);
  if (first == read.end() || first + 1 == read.end()) return;
  const auto& unreached = *(first + 1);
  findings.add(
      rules.items[unreached.number - 1].at,
      fmt::format("{}{} can never be reached: {} in line {} has no `when` and takes all", unreached.label(),
                  first + 2 == read.end() ? "" : ", and each behind it,", first->label(), first->line),
      fmt::format("move {} to the end, or give it a `when`", first->label()));
}

}  // namespace

std::vector<Rule> read_rules(const Value& document, const std::vector<Account>& accounts,
                             Findings& findings) {
  constexpr std::string_view right = "add [[rule]] with psp = \"NAME\"";
  const auto* rules = find_member(document, "rule");
  if (rules == nullptr) {
    findings.add({}, "there is no rule, so nothing would be sent", std::string(right));
    return {};
  }
  if (!is_kind(Value::Kind::list, *rules, "rule", "write [[rule]], with two brackets", findings)) return {};
  if (rules->items.empty()) {
    findings.add(rules->at, "there is no rule, so nothing would be sent", std::string(right));
  }
  std::vector<Rule> read;
  RuleReader reader(accounts, findings);
  for (const auto& item : rules->items) {
    if (read.size() == rules_max) {
      findings.add(item.at, fmt::format("there are {} rules", rules->items.size()),
                   fmt::format("at most {} are read", rules_max));
      break;
    }
    read.push_back(reader.read(item, read.size() + 1));
  }
  check_reach(*rules, read, findings);
  return read;
}

}  // namespace switchyard::routing
