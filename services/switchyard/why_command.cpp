// switchyard transaction why: tells the story of a transaction from what the store holds.
#include <fmt/format.h>

#include "http/json.hpp"
#include "service/program.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/options.hpp"
#include "switchyard/stored_transaction.hpp"
#include "switchyard/story.hpp"

namespace switchyard::cli {
namespace {

std::string merchant_text(OfflineStore& store, MerchantId merchant) {
  const std::vector ids{merchant};
  const auto users = store.run([&ids](store::Store& s) { return s.find_users(ids); });
  if (users.empty()) return fmt::format("user_id {}", merchant.value);
  return fmt::format("{} (user_id {})", users.front().username, merchant.value);
}

int tell(const Context& context, const std::string& id) {
  OfflineStore store(context.environment, store::Opening::read_only);
  const auto found = find_stored(store, id);
  const auto state =
      store.run([&found](store::Store& s) { return s.find_transaction(found.merchant, found.id); });
  const auto story = tell_story(state, merchant_text(store, found.merchant), SystemClock().now());
  if (!context.json) {
    for (const auto& line : story) fmt::print("{}\n", line);
    return service::exit_ok;
  }
  fmt::print(R"({{"id":"{}","status":"{}","story":[)", found.id.value.to_string(),
             payment::to_string(state.transaction.status));
  for (const auto& line : story) {
    fmt::print("{}{}", &line == &story.front() ? "" : ",", http::json_string(line));
  }
  fmt::print("]}}\n");
  return service::exit_ok;
}

}  // namespace

void add_why_command(CLI::App& transaction, Context& context) {
  auto id = std::make_shared<std::string>();
  auto* command = transaction.add_subcommand(
      "why", "Tell what became of a transaction, why, and what happens next and when, from the store");
  add_transaction_id(*command, *id);
  command->footer(
      "\nExample:\n  switchyard --env-file .env transaction why 01a203e7-cd8f-7925-813d-9190694d7e2c");
  command->callback([&context, id] { context.action = [&context, id] { return tell(context, *id); }; });
}

}  // namespace switchyard::cli
