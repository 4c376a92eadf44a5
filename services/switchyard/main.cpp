// switchyard: all services in one process, and the command line.
#include <cstdlib>

#include <fmt/format.h>

#include "base/version.hpp"
#include "service/program.hpp"
#include "switchyard/command_line.hpp"

namespace {

using namespace switchyard;

constexpr const char* examples = R"(
Examples:
  switchyard --env-file .env serve
  switchyard --env-file .env user add dora
  switchyard --env-file .env token alice
  switchyard --env-file .env transaction create --user alice --amount 100 --currency USD
  switchyard --env-file .env transaction list --user alice --status captured --json
  switchyard --env-file .env doctor
  switchyard --env-file .env demo

Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong.)";

// --help and --version end the parsing, too.
int fail(const CLI::App& app, const CLI::ParseError& error) {
  const bool asked = app.exit(error) == 0;
  service::finish_output();
  return asked ? service::exit_ok : service::exit_configuration;
}

// libpq reads the password of PostgreSQL from the process, where one from the file of --env-file is not yet.
// Before any thread is started.
void export_to_libpq(const switchyard::Environment& environment) {
  for (const char* name : {"PGPASSWORD", "PGPASSFILE"}) {
    if (const auto value = environment.find(name)) ::setenv(name, value->c_str(), 1);
  }
}

int run(int argc, char** argv) {
  CLI::App app("Switchyard, a payment switch");
  app.footer(examples);
  app.set_version_flag("--version", std::string(version));
  app.require_subcommand(1);
  app.fallthrough();

  cli::Context context;
  app.add_option("--env-file", context.env_file,
                 "Read settings from a file of NAME=VALUE lines; the environment wins");
  app.add_flag("--json", context.json, "Print JSON for scripts");
  cli::add_serve_command(app, context);
  cli::add_user_commands(app, context);
  cli::add_token_command(app, context);
  cli::add_transaction_commands(app, context);
  cli::add_route_commands(app, context);
  cli::add_psp_commands(app, context);
  cli::add_store_commands(app, context);
  cli::add_doctor_command(app, context);
  cli::add_demo_command(app, context);

  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // CLI11 only says that a subcommand is missing, also where a word that is none stands in its place.
    const auto unknown = app.remaining();
    if (unknown.empty()) return fail(app, error);
    fmt::print(stderr, "switchyard: there is no command '{}'; see: switchyard --help\n", unknown.front());
    return service::exit_configuration;
  } catch (const CLI::ParseError& error) {
    return fail(app, error);
  }
  context.environment = Environment::of_process();
  if (!context.env_file.empty()) context.environment.add_file(context.env_file);
  export_to_libpq(context.environment);
  const int code = context.action();
  service::finish_output();
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  return service::run_program("switchyard", [argc, argv] { return run(argc, argv); });
}
