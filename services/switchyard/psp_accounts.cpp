#include "switchyard/psp_accounts.hpp"

#include "base/io_threads.hpp"
#include "psp-connector/make_psp.hpp"
#include "psp-events/make_webhook.hpp"

namespace switchyard::cli {

std::vector<std::string> missing_of(const routing::Routes& routes, const Environment& environment) {
  const connector::PspSettings settings{.environment = environment};
  IoThreads threads(1);
  const SystemClock clock;
  const connector::PspParts parts{settings, threads.executor(0), 1, clock};
  std::vector<std::string> missing;
  for (const auto& account : routes.accounts) {
    auto& what = missing.emplace_back();
    // One that is simulated needs nothing, and would make its book.
    if (account.adapter == routing::Adapter::simulator) continue;
    try {
      static_cast<void>(connector::make_psp(account, parts));
      static_cast<void>(events::make_webhook(account, environment));
    } catch (const ConfigError& error) {
      what = error.what();
    }
  }
  return missing;
}

}  // namespace switchyard::cli
