// Builds what calls the PSP of an account, from its entry in the routing file and the environment.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/environment.hpp"
#include "psp/adapter.hpp"
#include "routing/routes.hpp"

namespace switchyard::connector {

struct PspSettings {
  // ROUTING_FILE; without it there is one PSP, which is simulated.
  std::string routing_file{};
  // Where the secrets are that the file names.
  Environment environment{};
  // PSP_URL: where psp-simulator answers. Empty: the simulated PSP in this process. May hold a password. Not
  // used with a routing file.
  std::string url{};
  // Of one in this process: PSP_SIMULATOR_LEDGER, or beside the store's file if it has one.
  std::string ledger_path{};
  // SWITCHYARD_ENV.
  bool production = false;
  // What else goes by the accounts of a new file in this process: throws ConfigError for one that it cannot
  // use, and then the rules from before are kept. May be empty.
  std::function<void(const routing::Account&)> check{};
};

// Throws ConfigError.
PspSettings read_psp_settings(const Environment& environment);

// What adapters are built with. `clock` outlives them, and they belong to the thread of `executor`.
struct PspParts {
  const PspSettings& settings;
  Executor executor;
  // As many as calls: one that waited for a connection until its deadline would count as a try.
  std::size_t connections_max;
  const Clock& clock;
};

// The one where there is no routing file.
std::unique_ptr<psp::Adapter> make_simulated_psp(const PspParts& parts);
// Throws ConfigError: a variable that the account names is not set, or holds no such secret.
std::unique_ptr<psp::Adapter> make_psp(const routing::Account& account, const PspParts& parts);

}  // namespace switchyard::connector
