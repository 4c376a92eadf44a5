// The commands of `switchyard`. Each command's file adds its options to the parser and, if it was asked for,
// leaves what is to be done in `action`.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/environment.hpp"

namespace switchyard::cli {

struct Context {
  // Complete once the command line was parsed: the process's variables and those of --env-file.
  Environment environment;
  // The path given with --env-file; empty if none was.
  std::string env_file;
  // Print JSON for scripts instead of text for people.
  bool json = false;
  // Gives the exit code. Runs after all of the command line was understood.
  std::function<int()> action;
};

void add_serve_command(CLI::App& app, Context& context);
void add_user_commands(CLI::App& app, Context& context);
void add_token_command(CLI::App& app, Context& context);
void add_transaction_commands(CLI::App& app, Context& context);
// Below `transaction`: those that work on the store itself.
void add_resolve_command(CLI::App& transaction, Context& context);
void add_why_command(CLI::App& transaction, Context& context);
void add_export_command(CLI::App& transaction, Context& context);
void add_route_commands(CLI::App& app, Context& context);
// Below `route`.
void add_route_explain_command(CLI::App& route, Context& context);
void add_route_replay_command(CLI::App& route, Context& context);
void add_psp_commands(CLI::App& app, Context& context);
void add_store_commands(CLI::App& app, Context& context);
void add_doctor_command(CLI::App& app, Context& context);
void add_demo_command(CLI::App& app, Context& context);

}  // namespace switchyard::cli
