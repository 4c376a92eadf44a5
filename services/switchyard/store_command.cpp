// switchyard store copy: from SQLite into PostgreSQL.
#include <fmt/format.h>

#include "http/json.hpp"
#include "service/program.hpp"
#include "service/settings.hpp"
#include "store/copy.hpp"
#include "store/open.hpp"
#include "switchyard/command_line.hpp"

namespace switchyard::cli {
namespace {

struct CopyArguments {
  std::string from;
  bool restart = false;
};

void print_copied(const Context& context, const std::vector<store::CopiedTable>& tables) {
  if (context.json) fmt::print("[");
  for (const auto& table : tables) {
    if (context.json) {
      fmt::print(R"({}{{"table":{},"rows":{},"copied_now":{}}})", &table == &tables.front() ? "" : ",",
                 http::json_string(table.name), table.rows, table.copied_now);
    } else {
      fmt::print("{:<18} {:>12} rows, {:>12} of them copied now; counts and sums agree\n", table.name,
                 table.rows, table.copied_now);
    }
  }
  fmt::print("{}", context.json ? "]\n" : "Done. Start the services with this DATABASE_URL.\n");
}

int copy_store(const Context& context, const CopyArguments& options) {
  const auto to = service::read_database_url(context.environment);
  if (!store::is_postgres(to)) {
    throw ConfigError("DATABASE_URL", "must name the PostgreSQL database to copy into",
                      "for example DATABASE_URL=postgresql://switchyard@db.example/switchyard");
  }
  store::CopyOptions copy_options{.restart = options.restart, .on_progress = {}};
  copy_options.on_progress = [](const store::CopiedTable& table) {
    // Where people see it and scripts do not read it.
    constexpr std::int64_t step = 100'000;
    if (table.copied_now % step == 0) fmt::print(stderr, "{}: {} rows\n", table.name, table.copied_now);
  };
  print_copied(context, store::copy_sqlite_to_postgres(store::sqlite_path(options.from), to, copy_options));
  return service::exit_ok;
}

}  // namespace

void add_store_commands(CLI::App& app, Context& context) {
  auto* store = app.add_subcommand("store", "Move the store");
  store->require_subcommand(1);
  auto options = std::make_shared<CopyArguments>();
  auto* command = store->add_subcommand(
      "copy",
      "Copy a SQLite store into the empty PostgreSQL database that DATABASE_URL names. Stop the services "
      "first. Interrupted, it goes on where it was; services start only over a finished copy");
  command->add_option("--from", options->from, "The SQLite store, such as sqlite:data/switchyard.db")
      ->required();
  command->add_flag("--restart", options->restart, "Drop what an unfinished copy has left, and begin again");
  command->footer(
      "\nExample:\n  DATABASE_URL=postgresql://switchyard:secret@db.example/switchyard \\\n"
      "    switchyard store copy --from sqlite:data/switchyard.db");
  command->callback([&context, options] {
    context.action = [&context, options] { return copy_store(context, *options); };
  });
}

}  // namespace switchyard::cli
