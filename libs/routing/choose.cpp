#include "routing/choose.hpp"

#include <algorithm>

#include "payment/names.hpp"
#include "routing/conditions.hpp"

namespace switchyard::routing {
namespace {

constexpr payment::Names<How, 3> how_names{{
    {How::drawn, "by weight"},
    {How::drawn_again, "by weight among those left"},
    {How::fallback, "as a fallback"},
}};

constexpr payment::Names<WhyNone, 4> why_none_names{{
    {WhyNone::no_rule_matches, "no rule matches"},
    {WhyNone::breaker_is_open,
     "each account that could take it has an open breaker, or as many calls under way as it may"},
    {WhyNone::all_were_tried, "each account that can take it was tried"},
    {WhyNone::no_payment_method, "the merchant gave no payment_method for any account of the rule"},
}};

constexpr payment::Names<Standing, 4> standing_names{{
    {Standing::can_take_it, "can take it"},
    {Standing::no_payment_method, "no payment_method for its adapter"},
    {Standing::was_tried, "was tried"},
    {Standing::breaker_is_open, "its breaker is open"},
}};

}  // namespace

std::string_view to_string(How how) {
  return payment::name_of(how_names, how);
}
std::string_view to_string(WhyNone why) {
  return payment::name_of(why_none_names, why);
}
std::string_view to_string(Standing standing) {
  return payment::name_of(standing_names, standing);
}

Standing standing_of(const Routes& routes, std::size_t account, const Asked& asked, const AccountSet& tried) {
  const auto adapter = routes.accounts[account].adapter;
  if (needs_payment_method(adapter) && !asked.payment_methods.test(std::to_underlying(adapter))) {
    return Standing::no_payment_method;
  }
  if (tried.test(account)) return Standing::was_tried;
  return asked.available.test(account) ? Standing::can_take_it : Standing::breaker_is_open;
}

std::optional<std::size_t> find_rule(const Routes& routes, const Asked& asked) {
  const auto moment = moment_of(asked.created_at);
  const auto found = std::ranges::find_if(
      routes.rules, [&](const Rule& rule) { return all_hold(rule.when, asked, moment); });
  if (found == routes.rules.end()) return std::nullopt;
  return static_cast<std::size_t>(found - routes.rules.begin());
}

std::expected<Choice, NoChoice> choose(const Routes& routes, const Asked& asked, const AccountSet& tried) {
  const auto rule = find_rule(routes, asked);
  if (!rule) return std::unexpected(NoChoice{});
  std::optional<Choice> choice;
  auto why = WhyNone::no_payment_method;
  for_each_account(routes.rules[*rule], asked.id, [&](std::size_t account, How how, const Drawn*) {
    const auto standing = standing_of(routes, account, asked, tried);
    if (standing == Standing::can_take_it) choice = Choice{.rule = *rule, .account = account, .how = how};
    if (standing == Standing::breaker_is_open) why = WhyNone::breaker_is_open;
    if (standing == Standing::was_tried) why = std::min(why, WhyNone::all_were_tried);
    return choice.has_value();
  });
  if (choice) return *choice;
  return std::unexpected(NoChoice{.why = why, .rule = rule});
}

}  // namespace switchyard::routing
