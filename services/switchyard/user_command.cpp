// switchyard user add | list | enable | disable | passwd
#include <fmt/format.h>

#include "auth-api/new_password.hpp"
#include "auth-api/username.hpp"
#include "http/json.hpp"
#include "money/card_number.hpp"
#include "service/program.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/offline.hpp"
#include "switchyard/password_prompt.hpp"
#include "token/password.hpp"

namespace switchyard::cli {
namespace {

constexpr std::size_t page_size = 1'000;

std::string to_json(const store::User& user) {
  return fmt::format(R"({{"id":{},"username":{},"enabled":{}}})", user.id.value,
                     http::json_string(user.username), user.enabled);
}

void print_user(const Context& context, const store::User& user, std::string_view done) {
  if (context.json) {
    fmt::print("{}\n", to_json(user));
  } else {
    fmt::print("{} {} (user_id {})\n", done, user.username, user.id.value);
  }
}

std::string hash_new_password(const Context& context) {
  const auto password = read_new_password();
  const bool production = service::is_production(context.environment);
  if (const auto problem = auth::new_password_problem(password, production); !problem.empty())
    throw std::runtime_error(fmt::format("the password {}", problem));
  auto hash = token::hash_password(password);
  if (!hash) throw std::runtime_error(hash.error().detail);
  return std::move(*hash);
}

void require_username(const std::string& username) {
  if (const auto problem = auth::username_problem(username); !problem.empty())
    throw std::runtime_error(fmt::format("the username {}", problem));
  if (contains_card_number(username)) throw std::runtime_error("the username looks like a card number");
}

int add(const Context& context, const std::string& username, bool disabled) {
  require_username(username);
  OfflineStore store(context.environment, store::Opening::create);
  store::NewUser user{std::nullopt, username, hash_new_password(context), !disabled};
  const auto added = store.run([&user](store::Store& s) { return s.add_user(user, SystemClock().now()); });
  print_user(context, added, "Added");
  return service::exit_ok;
}

int list(const Context& context) {
  OfflineStore store(context.environment, store::Opening::read_only);
  UserId after{0};
  bool first = true;
  if (context.json) fmt::print("[");
  for (;;) {
    const auto users = store.run([after](store::Store& s) { return s.list_users(after, page_size); });
    for (const auto& user : users) {
      if (context.json) {
        fmt::print("{}{}", first ? "" : ",", to_json(user));
      } else {
        fmt::print("{:>8}  {:<8}  {}\n", user.id.value, user.enabled ? "enabled" : "disabled", user.username);
      }
      first = false;
    }
    if (users.size() < page_size) break;
    after = users.back().id;
  }
  if (context.json) fmt::print("]\n");
  return service::exit_ok;
}

int set_enabled(const Context& context, const std::string& username, bool enabled) {
  OfflineStore store(context.environment, store::Opening::existing);
  store.run([&](store::Store& s) { return s.set_user_enabled(username, enabled); });
  print_user(context, store.user(username), enabled ? "Enabled" : "Disabled");
  return service::exit_ok;
}

int set_password(const Context& context, const std::string& username) {
  OfflineStore store(context.environment, store::Opening::existing);
  // Before the prompt: nobody types a password twice to learn of a typing error in the name.
  const auto user = store.user(username);
  const auto hash = hash_new_password(context);
  store.run([&](store::Store& s) { return s.set_password_hash(username, hash); });
  print_user(context, user, "New password for");
  return service::exit_ok;
}

}  // namespace

void add_user_commands(CLI::App& app, Context& context) {
  auto* user = app.add_subcommand("user", "Manage the users of DATABASE_URL");
  user->require_subcommand(1);
  user->footer(
      "\nPasswords are asked for, or read from standard input:\n"
      "  switchyard user add dora\n"
      "  printf '%s\\n' \"$PASSWORD\" | switchyard user passwd dora");
  auto username = std::make_shared<std::string>();
  const auto with_name = [username](CLI::App* command) {
    command->add_option("username", *username, "Whose")->required();
    return command;
  };

  auto disabled = std::make_shared<bool>(false);
  auto* add_command = with_name(user->add_subcommand("add", "Add a user"));
  add_command->add_flag("--disabled", *disabled, "Not allowed to make transactions for now");
  add_command->callback([&context, username, disabled] {
    context.action = [&context, username, disabled] { return add(context, *username, *disabled); };
  });
  user->add_subcommand("list", "List all users")->callback([&context] {
    context.action = [&context] { return list(context); };
  });
  with_name(user->add_subcommand("enable", "Let a user make transactions"))->callback([&context, username] {
    context.action = [&context, username] { return set_enabled(context, *username, true); };
  });
  with_name(user->add_subcommand("disable", "Stop a user from making transactions"))
      ->callback([&context, username] {
        context.action = [&context, username] { return set_enabled(context, *username, false); };
      });
  with_name(user->add_subcommand("passwd", "Set a user's password"))->callback([&context, username] {
    context.action = [&context, username] { return set_password(context, *username); };
  });
}

}  // namespace switchyard::cli
