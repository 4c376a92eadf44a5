// The PSPs that a connector calls, by the names of their accounts, and which of them a payment goes to.
//
// One account that does not answer leaves the others room: it has as many calls under way at most as are free
// for all (dynamic thresholds, as switches share a buffer: Choudhury and Hahne, 1998). An only account has it
// all.
//
// choose(), has(), has_room(), encode(), is_sent() and at() are called from whatever thread claims or saves;
// all else on the connector's thread, on which it is destroyed, too. What at() gives belongs to that thread
// as an Adapter does (psp/adapter.hpp).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "psp/adapter.hpp"
#include "routing/breaker.hpp"
#include "routing/routes.hpp"

namespace switchyard::connector {

class Psps final : public payment::Accounts {
 public:
  // Builds the adapter of an account. Throws ConfigError.
  using Make = std::function<std::unique_ptr<psp::Adapter>(const routing::Account& account)>;

  // All goes to this one: no rules, and no breaker. It outlives this.
  explicit Psps(psp::Adapter& only);
  // By rules, past accounts whose breakers are open, or that have no room; `calls_max` calls under way in
  // all. Throws what `make` throws.
  Psps(routing::Routes routes, Make make, std::size_t calls_max);

  std::expected<std::string, payment::NoAccount> choose(const payment::State& state,
                                                        Timestamp now) const override;
  bool has(std::string_view account) const override;
  bool has_room(std::string_view account) const override;
  std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                       const payment::Operation& operation) const override;
  // A claim of an authorization is about to be sent there.
  void is_sent(std::string_view account, Timestamp now) const;

  // A claim that calls the account is worked off, from the first to the second.
  void call_begins(std::string_view account);
  void call_ended(std::string_view account);

  // Of an account that a claim was made for. One that is not among the accounts any more is kept until the
  // end, for what is under way.
  psp::Adapter& at(std::string_view account) const;
  // What became of a call. The breaker's state, if that has changed it.
  std::optional<routing::BreakerState> heard(std::string_view account, routing::Heard what, Timestamp now);

  // From now on these rules. An account that is as it was keeps its connections and its breaker. Throws what
  // the Make throws, and ConfigError if one is at another PSP than it was; then nothing has changed.
  void change(routing::Routes routes);

  struct Standing {
    std::string name;
    routing::BreakerState breaker = routing::BreakerState::closed;
  };
  std::vector<Standing> standings(Timestamp now) const;
  // Whether one of them only simulates.
  bool is_simulated() const;

 private:
  struct Psp {
    routing::Account account;
    std::unique_ptr<psp::Adapter> own;
    psp::Adapter* adapter;
    routing::Breaker breaker{};
  };
  using All = std::vector<std::shared_ptr<Psp>>;

  bool is_below_its_share(std::string_view account) const;
  void require_same_psps(const routing::Routes& routes) const;
  All made_for(const routing::Routes& routes) const;
  std::shared_ptr<Psp> find(std::string_view account) const;
  std::shared_ptr<Psp> find_also_former(std::string_view account) const;

  const Make make_;
  const bool has_breakers_;
  const std::size_t calls_max_;
  // Held for a moment only.
  mutable std::mutex mutex_;
  std::shared_ptr<const routing::Routes> routes_;
  // As they stand in the routes.
  All psps_;
  All former_;
  // Under way, of all accounts and of each.
  std::size_t calls_ = 0;
  std::map<std::string, std::size_t, std::less<>> calls_of_;
};

}  // namespace switchyard::connector
