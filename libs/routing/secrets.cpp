#include "routing/secrets.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"

namespace switchyard::routing {

std::string secret_of(const Account& account, std::string_view setting, const Environment& environment) {
  const auto variable = account.text(setting);
  if (variable.empty()) return {};
  if (auto value = environment.find(std::string(variable))) {
    if (std::ranges::all_of(*value, is_visible_ascii)) return std::move(*value);
    throw ConfigError(
        variable,
        fmt::format("holds a blank, a line break or what is no ASCII character, and the account {} of "
                    "the routing file names it as its {}",
                    account.name, setting),
        "set it as the PSP shows it, with nothing before or behind");
  }
  throw ConfigError(variable,
                    fmt::format("is not set, and the account {} of the routing file names it as its {}",
                                account.name, setting),
                    fmt::format("for example {}=... in the environment or in .env", variable));
}

}  // namespace switchyard::routing
