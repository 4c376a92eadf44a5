#include "psp-connector/psps.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "base/environment.hpp"
#include "routing/choose.hpp"

namespace switchyard::connector {
namespace {

// An account may be tried again by the operation that it belongs to, which has none while it is chosen for.
routing::AccountSet tried_of(const routing::Routes& routes, const payment::State& state) {
  routing::AccountSet tried;
  for (std::size_t i = 0; i < routes.accounts.size(); ++i) {
    tried.set(i, payment::was_asked(state, routes.accounts[i].name));
  }
  return tried;
}

payment::NoAccount why_none(const routing::NoChoice& none, const routing::Routes& routes) {
  std::string reason(routing::to_string(none.why));
  if (none.rule) reason += ", by " + routes.rules[*none.rule].label();
  return {std::move(reason), none.why == routing::WhyNone::breaker_is_open};
}

}  // namespace

Psps::Psps(psp::Adapter& adapter)
    : has_breakers_(false),
      calls_max_(0),
      routes_(std::make_shared<routing::Routes>(routing::only_simulator(adapter.name()))),
      psps_{std::make_shared<Psp>(routes_->accounts.front(), nullptr, &adapter)} {}

Psps::Psps(routing::Routes routes, Make make, std::size_t calls_max)
    : make_(std::move(make)), has_breakers_(true), calls_max_(calls_max) {
  change(std::move(routes));
}

Psps::All Psps::made_for(const routing::Routes& routes) const {
  All all;
  for (const auto& account : routes.accounts) {
    const auto as_it_was =
        std::ranges::find_if(psps_, [&](const auto& one) { return one->account.is_same(account); });
    if (as_it_was != psps_.end()) {
      all.push_back(*as_it_was);
      continue;
    }
    auto own = make_(account);
    auto* adapter = own.get();
    all.push_back(std::make_shared<Psp>(account, std::move(own), adapter));
  }
  return all;
}

// What was asked of one PSP would be asked of another, which knows nothing of it and may do it once more.
void Psps::require_same_psps(const routing::Routes& routes) const {
  for (const auto& account : routes.accounts) {
    const auto is_other = [&account](const auto& one) {
      return one->account.name == account.name && one->account.adapter != account.adapter;
    };
    if (std::ranges::none_of(psps_, is_other) && std::ranges::none_of(former_, is_other)) continue;
    throw ConfigError(
        "ROUTING_FILE",
        fmt::format("makes of {} an account at another PSP, {}, while operations know it by its name",
                    account.name, to_string(account.adapter)),
        "give the account at the other PSP another name");
  }
}

void Psps::change(routing::Routes routes) {
  require_same_psps(routes);
  auto all = made_for(routes);
  const std::lock_guard lock(mutex_);
  for (const auto& one : psps_) {
    if (std::ranges::find(all, one) == all.end()) former_.push_back(one);
  }
  psps_ = std::move(all);
  routes_ = std::make_shared<routing::Routes>(std::move(routes));
}

std::shared_ptr<Psps::Psp> Psps::find(std::string_view account) const {
  const auto is_it = [account](const auto& one) { return one->account.name == account; };
  const auto found = std::ranges::find_if(psps_, is_it);
  return found == psps_.end() ? nullptr : *found;
}

// The rules may have changed since a moment ago, when it was among them.
std::shared_ptr<Psps::Psp> Psps::find_also_former(std::string_view account) const {
  if (auto psp = find(account)) return psp;
  const auto is_it = [account](const auto& one) { return one->account.name == account; };
  const auto former = std::find_if(former_.rbegin(), former_.rend(), is_it);
  SWITCHYARD_ASSERT(former != former_.rend());
  return *former;
}

std::expected<std::string, payment::NoAccount> Psps::choose(const payment::State& state,
                                                            Timestamp now) const {
  std::unique_lock lock(mutex_);
  const auto routes = routes_;
  routing::AccountSet available;
  for (std::size_t i = 0; i < psps_.size(); ++i) {
    available.set(i, !has_breakers_ ||
                         (psps_[i]->breaker.lets_through(now) && is_below_its_share(psps_[i]->account.name)));
  }
  lock.unlock();
  auto asked = routing::asked_of(state.transaction);
  asked.available = available;
  const auto choice = routing::choose(*routes, asked, tried_of(*routes, state));
  if (!choice) return std::unexpected(why_none(choice.error(), *routes));
  return routes->accounts[choice->account].name;
}

bool Psps::has(std::string_view account) const {
  const std::lock_guard lock(mutex_);
  return find(account) != nullptr;
}

bool Psps::is_below_its_share(std::string_view account) const {
  if (psps_.size() <= 1) return true;
  const auto calls = calls_of_.find(account);
  return calls == calls_of_.end() || calls->second < calls_max_ - std::min(calls_max_, calls_);
}

bool Psps::has_room(std::string_view account) const {
  const std::lock_guard lock(mutex_);
  return !has_breakers_ || is_below_its_share(account);
}

void Psps::call_begins(std::string_view account) {
  const std::lock_guard lock(mutex_);
  ++calls_;
  const auto calls = calls_of_.find(account);
  ++(calls == calls_of_.end() ? calls_of_[std::string(account)] : calls->second);
}

void Psps::call_ended(std::string_view account) {
  const std::lock_guard lock(mutex_);
  --calls_;
  --calls_of_.find(account)->second;
}

std::expected<std::string, payment::Rejected> Psps::encode(const payment::State& state,
                                                           const payment::Operation& operation) const {
  std::unique_lock lock(mutex_);
  const auto psp = find_also_former(operation.psp);
  lock.unlock();
  return psp->adapter->encode(state, operation);
}

void Psps::is_sent(std::string_view account, Timestamp now) const {
  const std::lock_guard lock(mutex_);
  if (const auto psp = find(account)) psp->breaker.sent(now);
}

psp::Adapter& Psps::at(std::string_view account) const {
  const std::lock_guard lock(mutex_);
  return *find_also_former(account)->adapter;
}

std::optional<routing::BreakerState> Psps::heard(std::string_view account, routing::Heard what,
                                                 Timestamp now) {
  if (!has_breakers_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto psp = find(account);
  if (psp == nullptr) return std::nullopt;
  const auto before = psp->breaker.state(now);
  psp->breaker.heard(what, now);
  const auto after = psp->breaker.state(now);
  return after == before ? std::nullopt : std::optional(after);
}

std::vector<Psps::Standing> Psps::standings(Timestamp now) const {
  const std::lock_guard lock(mutex_);
  std::vector<Standing> all;
  for (const auto& one : psps_) all.push_back({one->account.name, one->breaker.state(now)});
  return all;
}

bool Psps::is_simulated() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(
      psps_, [](const auto& one) { return one->account.adapter == routing::Adapter::simulator; });
}

}  // namespace switchyard::connector
