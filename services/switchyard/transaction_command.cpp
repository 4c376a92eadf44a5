// switchyard transaction create | capture | void | refund | show | list | watch: a client of a running
// core-api. Those that work on the store itself stand in files of their own.
#include <chrono>
#include <thread>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "http/query.hpp"
#include "service/program.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/options.hpp"
#include "switchyard/replies.hpp"
#include "switchyard/transaction_client.hpp"
#include "switchyard/transaction_text.hpp"

namespace switchyard::cli {
namespace {

namespace json = boost::json;

struct Options {
  Caller caller;
  std::string id;
  std::string amount;
  std::string currency;
  std::string capture;
  std::string reference;
  std::string description;
  std::string reason;
  bool keeps_hold = false;
  std::string idempotency_key;
  int wait_s = 0;
  std::string status;
  std::string cursor;
  int limit = 20;
  int timeout_s = 60;
};

constexpr std::chrono::milliseconds watch_interval{200};
constexpr int timeout_s_max = 86'400;
// What core-api waits at most, and how long a reply takes beside that.
constexpr int wait_s_max = 30;
constexpr std::chrono::seconds reply_time{10};

std::string path_of(const std::string& id) {
  return "/transaction/" + id;
}

void add_member(json::object& body, const char* name, const std::string& text) {
  if (!text.empty()) body.emplace(name, text);
}

json::value look_at(const TransactionClient& client, const std::string& id) {
  return client.call({.url = path_of(id), .body = {}, .headers = {}});
}

// A reply that was given before, under the same key, waits for nothing.
json::value wait_for_result(const TransactionClient& client, json::value reply, std::chrono::seconds left) {
  const auto& transaction = reply.as_object();
  if (left.count() <= 0 || is_settled(text_of(transaction, "status"))) return reply;
  http::ClientRequest request{.url = path_of(text_of(transaction, "id")),
                              .body = {},
                              .headers = {fmt::format("Prefer: wait={}", left.count())}};
  request.timeout = reply_time + left;
  return client.call(std::move(request));
}

std::string done_text(const Options& options, const char* what, const json::object& reply) {
  auto text = fmt::format("{} was accepted: transaction {}", what, text_of(reply, "id"));
  if (const auto operation = text_of(reply, "operation"); !operation.empty())
    text += ", operation " + operation;
  if (!options.idempotency_key.empty()) text += ", Idempotency-Key " + options.idempotency_key;
  return text;
}

// `what` is asked for, as in "the refund".
int post(const Context& context, const Options& options, const char* what, const std::string& path,
         const json::object& body) {
  const TransactionClient client(context, options.caller);
  http::ClientRequest request{.method = "POST",
                              .url = path,
                              .body = json::serialize(body),
                              .headers = {"Content-Type: application/json"}};
  if (!options.idempotency_key.empty())
    request.headers.push_back("Idempotency-Key: " + options.idempotency_key);
  if (options.wait_s > 0) request.headers.push_back(fmt::format("Prefer: wait={}", options.wait_s));
  request.timeout = reply_time + std::chrono::seconds(options.wait_s);
  const auto asked_at = std::chrono::steady_clock::now();
  const auto reply = client.call(std::move(request));
  const auto wait = std::chrono::seconds(options.idempotency_key.empty() ? 0 : options.wait_s);
  const auto left =
      wait - std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - asked_at);
  std::string bad_end;
  tell_what_was_done(done_text(options, what, reply.as_object()), [&] {
    print_transaction(context, wait_for_result(client, reply, left));
    service::finish_output();
    // The transaction does not say what became of one operation.
    const auto operation = text_of(reply.as_object(), "operation");
    if (options.wait_s > 0 && !operation.empty()) {
      bad_end = bad_end_of(look_at(client, options.id), operation);
    }
  });
  if (!bad_end.empty()) throw std::runtime_error(bad_end);
  return service::exit_ok;
}

int create(const Context& context, const Options& options) {
  json::object body{{"amount", options.amount}, {"currency", options.currency}};
  add_member(body, "capture", options.capture);
  add_member(body, "reference", options.reference);
  add_member(body, "description", options.description);
  return post(context, options, "the payment", "/transaction", body);
}

int capture(const Context& context, const Options& options) {
  json::object body;
  add_member(body, "amount", options.amount);
  if (options.keeps_hold) body.emplace("final", false);
  return post(context, options, "the capture", path_of(options.id) + "/capture", body);
}

int give_back_hold(const Context& context, const Options& options) {
  return post(context, options, "the void", path_of(options.id) + "/void", {});
}

int refund(const Context& context, const Options& options) {
  json::object body;
  add_member(body, "amount", options.amount);
  add_member(body, "reason", options.reason);
  add_member(body, "reference", options.reference);
  return post(context, options, "the refund", path_of(options.id) + "/refund", body);
}

int show(const Context& context, const Options& options) {
  print_transaction(context, look_at(TransactionClient(context, options.caller), options.id));
  return service::exit_ok;
}

int list(const Context& context, const Options& options) {
  const TransactionClient client(context, options.caller);
  auto url = fmt::format("/transaction?limit={}", options.limit);
  const auto add = [&url](const char* name, const std::string& value) {
    if (!value.empty()) url += fmt::format("&{}={}", name, http::percent_encoded(value));
  };
  add("status", options.status);
  add("currency", options.currency);
  add("reference", options.reference);
  add("cursor", options.cursor);
  const auto page = client.call({.url = url, .body = {}, .headers = {}});
  if (context.json) {
    fmt::print("{}\n", json::serialize(page));
    return service::exit_ok;
  }
  for (const auto& item : page.at("items").as_array()) print_transaction(context, item);
  if (page.at("next_cursor").is_string()) {
    fmt::print("more: --cursor {}\n", std::string(page.at("next_cursor").as_string()));
  }
  return service::exit_ok;
}

int watch(const Context& context, const Options& options) {
  const TransactionClient client(context, options.caller);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(options.timeout_s);
  std::string last;
  for (;;) {
    const auto value = look_at(client, options.id);
    const auto status = text_of(value.as_object(), "status");
    if (std::exchange(last, status) != status) print_transaction(context, value);
    std::fflush(stdout);
    if (is_settled(status)) return ended_badly(status) ? service::exit_failure : service::exit_ok;
    if (std::chrono::steady_clock::now() > until) {
      throw std::runtime_error(fmt::format("it is still {} after {} s", status, options.timeout_s));
    }
    std::this_thread::sleep_for(watch_interval);
  }
}

// Adds the commands, which share the options.
class Commands {
 public:
  Commands(CLI::App& transaction, Context& context) : transaction_(transaction), context_(context) {}

  CLI::App& add(const char* name, const char* description, int (*action)(const Context&, const Options&)) {
    auto* command = transaction_.add_subcommand(name, description);
    add_caller_options(*command, options_->caller);
    command->callback([&context = context_, options = options_, action] {
      context.action = [&context, options, action] { return action(context, *options); };
    });
    return *command;
  }
  CLI::App& add_with_id(const char* name, const char* description,
                        int (*action)(const Context&, const Options&)) {
    auto& command = add(name, description, action);
    add_transaction_id(command, options_->id);
    return command;
  }

  CLI::Option& text(CLI::App& command, const char* name, std::string Options::* value,
                    const char* description) {
    return *command.add_option(name, (*options_).*value, description)->check(require_text);
  }
  // Of all that move money.
  void add_sending_options(CLI::App& command) {
    command.add_option("--idempotency-key,--key", options_->idempotency_key, "Makes trying again safe")
        ->check(require_header_value);
    command.add_option("--wait", options_->wait_s, "Wait so many seconds for a result")
        ->check(whole_number(1, wait_s_max));
  }

  Options& options() { return *options_; }

 private:
  CLI::App& transaction_;
  Context& context_;
  std::shared_ptr<Options> options_ = std::make_shared<Options>();
};

void add_create(Commands& commands) {
  auto& command = commands.add("create", "Make a transaction", create);
  command.add_option("--amount", commands.options().amount, "In minor units: 100 with USD is one dollar")
      ->required();
  command.add_option("--currency", commands.options().currency, "ISO 4217 code")->required();
  commands.text(command, "--capture", &Options::capture,
                "automatic: take the money at once (the default); manual: only hold it");
  commands.text(command, "--reference", &Options::reference, "The merchant's own, such as an order number");
  commands.text(command, "--description", &Options::description, "For people");
  commands.add_sending_options(command);
  command.footer(
      "\nExample:\n  switchyard --env-file .env transaction create --user alice --amount 100 --currency USD");
}

void add_operations(Commands& commands) {
  auto& capture_command =
      commands.add_with_id("capture", "Take the money that is held, or a part of it", capture);
  commands.text(capture_command, "--amount", &Options::amount, "In minor units (default: all that is left)");
  capture_command.add_flag("--keep-hold", commands.options().keeps_hold,
                           "Do not release what is left: more captures follow");
  commands.add_sending_options(capture_command);
  capture_command.footer(
      "\nExample:\n  switchyard --env-file .env transaction capture --user alice ID --amount 60");

  auto& void_command = commands.add_with_id("void", "Give back what is held", give_back_hold);
  commands.add_sending_options(void_command);
  void_command.footer("\nExample:\n  switchyard --env-file .env transaction void --user alice ID --wait 10");

  auto& refund_command =
      commands.add_with_id("refund", "Give back the money that was taken, or a part of it", refund);
  commands.text(refund_command, "--amount", &Options::amount, "In minor units (default: all that is left)");
  commands.text(refund_command, "--reason", &Options::reason, "For what, for people");
  commands.text(refund_command, "--reference", &Options::reference, "The merchant's own");
  commands.add_sending_options(refund_command);
  refund_command.footer(
      "\nExample:\n  switchyard --env-file .env transaction refund --user alice ID --amount 40 --key return-17");
}

void add_looks(Commands& commands) {
  commands.add_with_id("show", "Show a transaction with its operations", show);
  auto& list_command = commands.add("list", "List transactions, newest first", list);
  commands.text(list_command, "--status", &Options::status, "Only those in this status");
  commands.text(list_command, "--currency", &Options::currency, "Only those in this currency");
  commands.text(list_command, "--reference", &Options::reference, "Only those with this reference");
  list_command.add_option("--limit", commands.options().limit, "At most so many")
      ->check(whole_number(1, 100))
      ->capture_default_str();
  commands.text(list_command, "--cursor", &Options::cursor, "Go on from an earlier page's cursor");
  auto& watch_command = commands.add_with_id("watch", "Print each new status until it is settled", watch);
  watch_command.add_option("--timeout", commands.options().timeout_s, "Seconds")
      ->check(whole_number(1, timeout_s_max))
      ->capture_default_str();
  watch_command.footer("\nExit code: 1 when it is declined, failed or for a person (manual_review), else 0.");
}

}  // namespace

void add_transaction_commands(CLI::App& app, Context& context) {
  auto* transaction =
      app.add_subcommand("transaction", "Make and see transactions over HTTP; see more of them in the store");
  transaction->require_subcommand(1);
  Commands commands(*transaction, context);
  add_create(commands);
  add_operations(commands);
  add_looks(commands);
  add_resolve_command(*transaction, context);
  add_why_command(*transaction, context);
  add_export_command(*transaction, context);
}

}  // namespace switchyard::cli
