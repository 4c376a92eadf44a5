// The PSPs that a connector calls, by the names of their accounts, and which of them a payment goes to.
//
// choose(), has(), encode(), is_sent() and at() are called from whatever thread claims or saves; all else on
// the connector's thread, on which it is destroyed, too. What at() gives belongs to that thread as an Adapter
// does (psp/adapter.hpp).
#pragma once

#include <functional>
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
  // By rules, past accounts whose breakers are open. Throws what `make` throws.
  Psps(routing::Routes routes, Make make);

  std::expected<std::string, payment::NoAccount> choose(const payment::State& state,
                                                        Timestamp now) const override;
  bool has(std::string_view account) const override;
  std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                       const payment::Operation& operation) const override;
  // A claim of an authorization is about to be sent there.
  void is_sent(std::string_view account, Timestamp now) const;

  // Of an account that a claim was made for. One that is not among the accounts any more is kept until the
  // end, for what is under way.
  psp::Adapter& at(std::string_view account) const;
  // What became of a call. The breaker's state, if that has changed it.
  std::optional<routing::BreakerState> heard(std::string_view account, routing::Heard what, Timestamp now);

  // From now on these rules. An account that is as it was keeps its connections and its breaker. Throws what
  // the Make throws, and then nothing has changed.
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

  All made_for(const routing::Routes& routes) const;
  std::shared_ptr<Psp> find(std::string_view account) const;
  std::shared_ptr<Psp> find_also_former(std::string_view account) const;

  const Make make_;
  const bool has_breakers_;
  // Held for a moment only.
  mutable std::mutex mutex_;
  std::shared_ptr<const routing::Routes> routes_;
  // As they stand in the routes.
  All psps_;
  All former_;
};

}  // namespace switchyard::connector
