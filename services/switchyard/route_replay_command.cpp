// switchyard route replay: which of the stored payments would have gone elsewhere by a routing file.
#include <array>
#include <future>
#include <memory>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "service/program.hpp"
#include "switchyard/attempt_ranges.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/offline.hpp"
#include "switchyard/options.hpp"
#include "switchyard/replay.hpp"
#include "switchyard/routing_file.hpp"
#include "switchyard/times.hpp"
#include "switchyard/transaction_client.hpp"

namespace switchyard::cli {
namespace {

namespace json = boost::json;

struct ReplayOptions {
  std::string file;
  std::string since;
};

constexpr std::size_t attempts_at_once = 10'000;
// The store's reads and what is made of them.
constexpr std::size_t workers_count = 2;
// An id is made with the transaction, by the same clock, and a little earlier.
constexpr std::chrono::hours id_age_max{24};

// One thread's part: a page at a time.
class Worker {
 public:
  Worker(const Context& context, const routing::Routes& routes, Timestamp since)
      : store_(context.environment, store::Opening::read_only), replay_(routes), since_(since) {}

  void run(AttemptRanges& ranges) {
    const auto next_merchant = [this](MerchantId least) {
      return store_.run([least](store::Store& s) { return s.next_merchant(least); });
    };
    while (auto range = ranges.take(next_merchant)) {
      while (const auto next = look_at_page(*range)) {
        range->first = *next;
        *range = ranges.share(*range);
      }
      ranges.done();
    }
  }

  const Replay& replay() const { return replay_; }

  // Rows that could not be read; empty if there were none.
  std::string left_out() const { return replay_.unreadable() > 0 ? store_.set_aside().example : ""; }

 private:
  // Where the next one begins.
  std::optional<TransactionId> look_at_page(const store::AttemptRange& range) {
    auto page = store_.run([&range](store::Store& s) { return s.list_attempts(range, attempts_at_once); });
    for (auto& attempt : page.items) {
      if (attempt.created_at >= since_) replay_.look_at(range.merchant, std::move(attempt));
    }
    replay_.count_unreadable(page.unreadable);
    return page.next;
  }

  OfflineStore store_;
  Replay replay_;
  const Timestamp since_;
};

using Workers = std::vector<std::unique_ptr<Worker>>;

void run_all(const Workers& workers, AttemptRanges& ranges) {
  std::vector<std::future<void>> running;
  running.reserve(workers.size());
  for (const auto& worker : workers) {
    running.push_back(std::async(std::launch::async, [&worker, &ranges] {
      try {
        worker->run(ranges);
      } catch (...) {
        ranges.stop();
        throw;
      }
    }));
  }
  // All have ended before the first one's error goes on.
  for (auto& one : running) one.wait();
  for (auto& one : running) one.get();
}

json::object to_json(const Tally& tally) {
  json::object amounts;
  for (const auto& [currency, minor] : tally.amounts_minor) amounts.emplace(currency.code(), minor);
  return {{"count", tally.count},
          {"soft_declines", tally.soft_declines},
          {"hard_declines", tally.hard_declines},
          {"amounts", amounts}};
}

json::object to_json(const Replay& replay, Timestamp since) {
  json::array by_account;
  for (const auto* one : replay.largest_first()) {
    const auto& [move, tally] = *one;
    json::object item{{"from", move.from}, {"to", nullptr}, {"why_none", nullptr}};
    if (move.to) {
      item["to"] = replay.routes().accounts[*move.to].name;
    } else {
      item["why_none"] = to_string(move.why_none);
    }
    for (const auto& member : to_json(tally)) item.insert(member);
    by_account.push_back(std::move(item));
  }
  const auto moved = replay.moved();
  return {{"since", time_text(since)},
          {"looked_at", replay.count()},
          {"stay", replay.count() - moved.count},
          {"not_sent", replay.not_sent()},
          {"unreadable", replay.unreadable()},
          {"moved", to_json(moved)},
          {"by_account", by_account}};
}

void print(const Context& context, const Replay& replay, Timestamp since) {
  if (context.json) {
    fmt::print("{}\n", json::serialize(to_json(replay, since)));
    return;
  }
  fmt::print("since {}\n", time_text(since));
  for (const auto& line : replay_text(replay)) fmt::print("{}\n", line);
}

int replay_stored(const Context& context, const ReplayOptions& options) {
  const auto now = SystemClock().now();
  const auto since = parse_since(options.since, now).value();
  if (since > now) throw ConfigError("--since", "is in the future", "for example --since 90d");
  const auto routes = read_routes_or_say(options.file);
  if (!routes) return service::exit_configuration;
  Workers workers;
  for (std::size_t i = 0; i < workers_count; ++i)
    workers.push_back(std::make_unique<Worker>(context, *routes, since));
  AttemptRanges ranges(first_id_at(since - id_age_max));
  run_all(workers, ranges);
  Replay all(*routes);
  std::string left_out;
  for (const auto& worker : workers) {
    all.add(worker->replay());
    if (left_out.empty()) left_out = worker->left_out();
  }
  print(context, all, since);
  if (all.unreadable() == 0) return service::exit_ok;
  // What was printed is printed before it is said that there is more.
  service::finish_output();
  throw std::runtime_error(fmt::format("it is not complete; left out were {} that cannot be read, such as {}",
                                       all.unreadable(), left_out));
}

}  // namespace

void add_route_replay_command(CLI::App& route, Context& context) {
  auto options = std::make_shared<ReplayOptions>();
  auto* command = route.add_subcommand(
      "replay",
      "Tell which payments in the store of DATABASE_URL would have gone elsewhere by a routing file");
  command->add_option("file", options->file, "The routing file")->required()->check(require_text);
  command
      ->add_option("--since", options->since,
                   "Made at or after: an age such as 90d, 12h or 30m, a date, or a time")
      ->required()
      ->check(require_since);
  command->footer(
      "\nCompared is the account that a payment was sent to first with the one that the rules choose first, all accounts\n"
      "being available: what went elsewhere because a breaker was open counts as moving. Declines are those that there\n"
      "were where it went. Nothing is written.\n"
      "Exit code 1, after all else was printed, if there are rows that this version cannot read.\n"
      "Example:\n  switchyard --env-file .env route replay routes.toml --since 90d");
  command->callback([&context, options] {
    context.action = [&context, options] { return replay_stored(context, *options); };
  });
}

}  // namespace switchyard::cli
