// switchyard token: mints a token for a user.
#include <fmt/format.h>

#include "service/program.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/mint_token.hpp"
#include "switchyard/offline.hpp"

namespace switchyard::cli {

std::string mint_token(const Environment& environment, const std::string& username) {
  const auto settings = service::read_token_settings(environment);
  OfflineStore store(environment, store::Opening::read_only);
  const auto user = store.user(username);
  const auto expires_at = std::chrono::floor<std::chrono::seconds>(SystemClock().now()) + settings.ttl;
  return settings.jwt.sign({user.id, user.username, user.enabled, expires_at});
}

void add_token_command(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("token", "Print a token for a user, valid for TOKEN_TTL_SECONDS");
  command->footer(
      "\nExample:\n  http POST http://127.0.0.1:8080/transaction/transaction amount=100 currency=USD \\\n"
      "    token=$(switchyard --env-file .env token alice)");
  auto username = std::make_shared<std::string>();
  command->add_option("username", *username, "Whose token")->required();
  command->callback([&context, username] {
    context.action = [&context, username] {
      const auto token = mint_token(context.environment, *username);
      if (context.json) {
        fmt::print("{{\"token\":\"{}\"}}\n", token);
      } else {
        fmt::print("{}\n", token);
      }
      return service::exit_ok;
    };
  });
}

}  // namespace switchyard::cli
