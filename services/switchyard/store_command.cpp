// switchyard store: back up, restore, copy from SQLite into PostgreSQL, migrate.
#include <fmt/format.h>

#include "http/json.hpp"
#include "service/program.hpp"
#include "service/settings.hpp"
#include "sqlite/in_use.hpp"
#include "store/copy.hpp"
#include "store/open.hpp"
#include "switchyard/backup.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/offline.hpp"

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
  const auto from = store::sqlite_path(options.from);
  // What a service accepted behind the copy's back would be left behind in the file.
  if (const auto process = sqlite::process_that_uses(from)) {
    throw std::runtime_error(
        fmt::format("process {} has {} open: stop the services that use it, and copy then", *process, from));
  }
  print_copied(context, store::copy_sqlite_to_postgres(from, to, copy_options));
  return service::exit_ok;
}

int migrate_store(const Context& context) {
  // Opening it is all: a service does the same at its start.
  static_cast<void>(store::open(service::read_database_url(context.environment), say));
  fmt::print("{}", context.json ? "{\"migrated\":true}\n" : "The store has the schema of this version.\n");
  return service::exit_ok;
}

// The path of the store, of one in SQLite. `command` does the same for PostgreSQL.
std::string path_of_sqlite(const Context& context, const char* verb, const std::string& command) {
  const auto url = service::read_database_url(context.environment);
  if (!store::is_postgres(url)) return store::sqlite_path(url);
  throw ConfigError("DATABASE_URL",
                    fmt::format("names a PostgreSQL database, which its own programs {}", verb),
                    fmt::format("with the same DATABASE_URL: {}", command));
}

void print_contents(const Context& context, const char* file, const std::string& path,
                    const Contents& contents, const std::string& kept) {
  if (!context.json) {
    fmt::print("{} transactions and {} users, schema version {}; each page was checked\n",
               contents.transactions, contents.users, contents.schema_version);
    return;
  }
  fmt::print(R"({{"{}":{},"transactions":{},"users":{},"schema_version":{})", file, http::json_string(path),
             contents.transactions, contents.users, contents.schema_version);
  if (!kept.empty()) fmt::print(R"(,"kept":{})", http::json_string(kept));
  fmt::print("}}\n");
}

int back_up_store(const Context& context, const std::string& file) {
  const auto store = path_of_sqlite(context, "back up",
                                    fmt::format("pg_dump --format=custom --file={} \"$DATABASE_URL\"", file));
  const auto contents = back_up(store, file);
  if (!context.json) fmt::print("Backed up {} to {}: ", store, file);
  print_contents(context, "backup", file, contents, {});
  return service::exit_ok;
}

int restore_store(const Context& context, const std::string& file) {
  const auto store = path_of_sqlite(
      context, "restore",
      fmt::format("pg_restore --clean --if-exists --single-transaction --dbname=\"$DATABASE_URL\" {}", file));
  const auto restored = restore(file, store);
  if (!context.json) fmt::print("Restored {} from {}: ", store, file);
  print_contents(context, "restored", store, restored.contents, restored.kept);
  if (context.json) return service::exit_ok;
  if (!restored.kept.empty()) fmt::print("What was there before is kept as {}\n", restored.kept);
  fmt::print(
      "What was accepted after the backup is not in it. Merchants who sent an Idempotency-Key can send those "
      "again with the same key: the PSP does each once.\n");
  return service::exit_ok;
}

void add_file_command(CLI::App& store, Context& context, const char* name, const char* description,
                      const char* footer, int (*action)(const Context&, const std::string&)) {
  auto* command = store.add_subcommand(name, description);
  auto file = std::make_shared<std::string>();
  command->add_option("file", *file, "The backup")->required();
  command->footer(footer);
  command->callback([&context, file, action] {
    context.action = [&context, file, action] { return action(context, *file); };
  });
}

void add_backup_commands(CLI::App& store, Context& context) {
  add_file_command(
      store, context, "backup",
      "Write what the SQLite store of DATABASE_URL holds at one moment to a new file, while services run, and "
      "check it. A PostgreSQL database is backed up by pg_dump",
      "\nExample:\n  switchyard --env-file .env store backup /backup/switchyard-2026-11-26.db",
      back_up_store);
  add_file_command(
      store, context, "restore",
      "Put a backup in the place of the SQLite store of DATABASE_URL, after a check. Stop the services first. "
      "The store that was there is kept beside it. A PostgreSQL database is restored by pg_restore",
      "\nExample:\n  switchyard --env-file .env store restore /backup/switchyard-2026-11-26.db",
      restore_store);
}

void add_migrate_command(CLI::App& store, Context& context) {
  auto* command = store.add_subcommand(
      "migrate",
      "Bring the store that DATABASE_URL names to the schema of this version. Services do so themselves "
      "when they start; this is for those who want it done, and seen to be done, before");
  command->callback([&context] { context.action = [&context] { return migrate_store(context); }; });
}

}  // namespace

void add_store_commands(CLI::App& app, Context& context) {
  auto* store = app.add_subcommand("store", "Back up the store, move it, or bring it to this version");
  store->require_subcommand(1);
  add_backup_commands(*store, context);
  add_migrate_command(*store, context);
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
