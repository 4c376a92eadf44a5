// switchyard transaction export: all transactions of a time, from the store itself.
#include <cstdio>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "core-api/rfc3339.hpp"
#include "core-api/transaction_json.hpp"
#include "service/program.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/export_format.hpp"
#include "switchyard/offline.hpp"
#include "switchyard/options.hpp"
#include "switchyard/times.hpp"
#include "switchyard/transaction_client.hpp"

namespace switchyard::cli {
namespace {

struct ExportOptions {
  std::string from;
  std::string to;
  std::string format;
  std::string user;
  std::optional<std::int64_t> user_id;
};

constexpr std::size_t rows_at_once = 1'000;

// Holds one page at a time.
class Export {
 public:
  Export(const Context& context, const ExportOptions& options)
      : options_(options),
        is_csv_(options.format == "csv"),
        store_(context.environment, store::Opening::read_only) {
    filter_.created_from = core::nearest_storable(parse_moment(options.from).value());
    filter_.created_to = core::nearest_storable(parse_moment(options.to).value());
    filter_.limit = rows_at_once;
  }

  void run() {
    if (is_csv_) write(csv_header());
    if (options_.user_id) {
      write_all_of(MerchantId{*options_.user_id});
    } else if (!options_.user.empty()) {
      write_all_of(store_.user(options_.user).id);
    } else {
      write_all();
    }
  }

  // Rows that could not be read; empty if there were none.
  const std::string& left_out() const { return left_out_; }

 private:
  // By the transactions that there are: a merchant of another installation's tokens is no user here.
  void write_all() {
    std::int64_t least = std::numeric_limits<std::int64_t>::min();
    while (const auto merchant = store_.run([least](store::Store& s) { return s.next_merchant({least}); })) {
      write_all_of(*merchant);
      if (merchant->value == std::numeric_limits<std::int64_t>::max()) return;
      least = merchant->value + 1;
    }
  }

  void write_all_of(MerchantId merchant) {
    auto filter = filter_;
    do {
      const auto page =
          store_.run([merchant, &filter](store::Store& s) { return s.list_transactions(merchant, filter); });
      for (const auto& transaction : page.items) {
        write(is_csv_ ? csv_line(transaction) : core::to_json(transaction) + "\n");
      }
      // What cannot be written shows here, and not after all the rest was read.
      service::finish_output();
      if (const auto report = store_.set_aside(); report.count > 0) left_out_ = report.text();
      filter.before = page.next;
    } while (filter.before);
  }

  static void write(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

  const ExportOptions& options_;
  const bool is_csv_;
  OfflineStore store_;
  store::TransactionFilter filter_;
  std::string left_out_;
};

int export_all(const Context& context, const ExportOptions& options) {
  if (parse_moment(options.from) >= parse_moment(options.to)) {
    throw ConfigError("--from", "must be before --to", "for example --from 2026-11-01 --to 2026-12-01");
  }
  Export exported(context, options);
  exported.run();
  if (const auto left_out = exported.left_out(); !left_out.empty()) {
    throw std::runtime_error("it is not complete; left out were " + left_out);
  }
  return service::exit_ok;
}

}  // namespace

void add_export_command(CLI::App& transaction, Context& context) {
  auto options = std::make_shared<ExportOptions>();
  auto* command = transaction.add_subcommand(
      "export", "Print all transactions that were created in a time, from the store of DATABASE_URL");
  command->add_option("--from", options->from, "Created at or after: a date (UTC), or a time with its offset")
      ->required()
      ->check(require_moment);
  command->add_option("--to", options->to, "Created before")->required()->check(require_moment);
  command
      ->add_option("--format", options->format,
                   "csv (RFC 4180), or jsonl: an object on each line, as the API has it")
      ->required()
      ->check(CLI::IsMember({"csv", "jsonl"}));
  auto* user = command->add_option("--user", options->user, "Only those of this user")->check(require_text);
  command->add_option("--user-id", options->user_id, "Only those of this user_id, also if it is no user here")
      ->excludes(user)
      ->check(
          whole_number(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()));
  command->footer(
      "\nUser by user in the order of their ids, also who is no user here, and of each the newest first. Amounts\n"
      "are in minor units. In CSV a text that begins with = + - @, a tab, a carriage return or an apostrophe gets\n"
      "an apostrophe in front, so that no spreadsheet takes it for a formula.\n"
      "Exit code 1, after all others were printed, if there are rows that this version cannot read.\n"
      "Example:\n  switchyard --env-file .env transaction export --from 2026-11-01 --to 2026-12-01 --format csv");
  command->callback([&context, options] {
    context.action = [&context, options] { return export_all(context, *options); };
  });
}

}  // namespace switchyard::cli
