#include "routing/routes.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace switchyard::routing {

std::string_view Account::text(std::string_view setting) const {
  const auto found = std::ranges::find(texts, setting, &decltype(texts)::value_type::first);
  return found == texts.end() ? std::string_view() : found->second;
}

bool Account::flag(std::string_view setting) const {
  return std::ranges::find(flags, setting) != flags.end();
}

bool When::takes_all() const {
  return currencies.empty() && !amount_min && !amount_max && merchants.empty() && payment_methods.none() &&
         weekdays.none() && times.empty() && metadata.empty();
}

std::string Rule::label() const {
  return name.empty() ? fmt::format("rule {}", number) : fmt::format("rule '{}'", name);
}

std::optional<std::size_t> Routes::find_account(std::string_view name) const {
  const auto found = std::ranges::find(accounts, name, &Account::name);
  if (found == accounts.end()) return std::nullopt;
  return static_cast<std::size_t>(found - accounts.begin());
}

Routes only_simulator(std::string_view name) {
  Routes routes{.accounts = {{.name = std::string(name)}}, .rules = {{.name = "no routing file", .line = 0}}};
  routes.rules.front().psp = {{.account = 0, .weight = 1}};
  return routes;
}

}  // namespace switchyard::routing
