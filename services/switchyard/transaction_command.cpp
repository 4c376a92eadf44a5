// switchyard transaction create | show | list | watch: a client of a running core-api.
#include <algorithm>
#include <chrono>
#include <thread>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "http/characters.hpp"
#include "http/client.hpp"
#include "http/json.hpp"
#include "http/query.hpp"
#include "money/money.hpp"
#include "service/program.hpp"
#include "service/settings.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/mint_token.hpp"
#include "switchyard/replies.hpp"

namespace switchyard::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string user;
  std::string token;
  std::string url;
  std::string id;
  std::string amount;
  std::string currency;
  std::string idempotency_key;
  std::string status;
  std::string cursor;
  int limit = 20;
  int timeout_s = 60;
};

constexpr std::chrono::milliseconds watch_interval{200};

// What is wrong with the value of an option, for CLI11; empty if nothing is. "--status ''" is a variable of a
// script that was not set, and no status at all would be another request than was meant.
std::string require_text(const std::string& value) {
  return http::without_blanks_around(value).empty() ? "must not be blank" : "";
}

std::string require_header_value(const std::string& value) {
  if (!std::ranges::all_of(value, http::is_value_character)) return "must not hold a control character";
  return require_text(value);
}

std::string require_url(const std::string& value) {
  http::ClientRequest request;
  request.url = value;
  if (http::problem_of(request).empty()) return {};
  return "must be an address such as http://127.0.0.1:8080/transaction, without blanks and control characters";
}

class TransactionClient {
 public:
  TransactionClient(const Context& context, const Options& options) : context_(context), options_(options) {
    if (options.user.empty() == options.token.empty()) {
      throw ConfigError("--user", "or --token must be given, and only one of them",
                        "for example --user alice");
    }
  }

  // The reply's body; throws std::runtime_error with the server's own words if it is an error.
  json::value call(http::ClientRequest request) const {
    request.url = base_url() + request.url;
    const auto token =
        options_.token.empty() ? mint_token(context_.environment, options_.user) : options_.token;
    request.headers.push_back("Authorization: Bearer " + token);
    const auto response = http::send(request);
    if (!response)
      throw std::runtime_error(response.error().detail + "; is the server running? see: switchyard doctor");
    const auto body = http::parse_json(response->body);
    if (response->status == 200 && body) return *body;
    throw std::runtime_error(fmt::format("{} {}", response->status, problem_text(body)));
  }

 private:
  std::string base_url() const {
    if (!options_.url.empty()) return options_.url;
    const auto settings = service::read_http_settings(context_.environment, 8080);
    return service::local_url(settings) + "/transaction";
  }

  const Context& context_;
  const Options& options_;
};

void print_transaction(const Context& context, const json::value& value) {
  if (context.json) {
    fmt::print("{}\n", json::serialize(value));
    return;
  }
  const auto& object = value.as_object();
  const auto currency = Currency::parse_stored(text_of(object, "currency"));
  const auto amount = object.at("amount").as_int64();
  const auto money = currency ? Money(amount, *currency).to_string() : fmt::format("{}", amount);
  const auto reason = text_of(object, "reason");
  fmt::print("{}  {:<14} {:>16}  {}{}\n", text_of(object, "id"), text_of(object, "status"), money,
             text_of(object, "created_at"), reason.empty() ? "" : "  (" + reason + ")");
  const auto* attempts = object.if_contains("attempts");
  if (attempts == nullptr || !attempts->is_array()) return;
  for (const auto& attempt : attempts->get_array()) {
    const auto& fields = attempt.as_object();
    fmt::print("    attempt {} at {}: {} {}\n", fields.at("number").as_int64(), text_of(fields, "psp"),
               text_of(fields, "status"), text_of(fields, "reason"));
  }
}

json::value show(const TransactionClient& client, const std::string& id) {
  if (!Uuid::parse(id))
    throw std::runtime_error(fmt::format("'{}' is not a transaction id, which is a UUID", id));
  return client.call({.url = "/transaction/" + id, .body = {}, .headers = {}});
}

int create(const Context& context, const Options& options) {
  const TransactionClient client(context, options);
  http::ClientRequest request{
      .method = "POST", .url = "/transaction", .body = {}, .headers = {"Content-Type: application/json"}};
  request.body = fmt::format(R"({{"amount":{},"currency":{}}})", http::json_string(options.amount),
                             http::json_string(options.currency));
  if (!options.idempotency_key.empty())
    request.headers.push_back("Idempotency-Key: " + options.idempotency_key);
  print_transaction(context, client.call(std::move(request)));
  return service::exit_ok;
}

int list(const Context& context, const Options& options) {
  const TransactionClient client(context, options);
  auto url = fmt::format("/transaction?limit={}", options.limit);
  const auto add = [&url](const char* name, const std::string& value) {
    if (!value.empty()) url += fmt::format("&{}={}", name, http::percent_encoded(value));
  };
  add("status", options.status);
  add("currency", options.currency);
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
  const TransactionClient client(context, options);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(options.timeout_s);
  std::string last;
  for (;;) {
    const auto value = show(client, options.id);
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

}  // namespace

void add_transaction_commands(CLI::App& app, Context& context) {
  auto* transaction = app.add_subcommand("transaction", "Make and see transactions, over HTTP");
  transaction->require_subcommand(1);
  auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* description,
                       int (*action)(const Context&, const Options&)) {
    auto* command = transaction->add_subcommand(name, description);
    command
        ->add_option("--user", options->user,
                     "Mint a token for this user (needs JWT_SECRET and DATABASE_URL)")
        ->check(require_text);
    command->add_option("--token", options->token, "Use this token")->check(require_header_value);
    command
        ->add_option("--url", options->url,
                     "Where core-api is (default: HTTP_HOST, HTTP_PORT and /transaction)")
        ->check(require_url);
    command->callback([&context, options, action] {
      context.action = [&context, options, action] { return action(context, *options); };
    });
    return command;
  };
  const auto with_id = [&](CLI::App* command) {
    command->add_option("id", options->id, "The transaction")->required();
    return command;
  };

  auto* create_command = add("create", "Make a transaction", create);
  create_command->add_option("--amount", options->amount, "In minor units: 100 with USD is one dollar")
      ->required();
  create_command->add_option("--currency", options->currency, "ISO 4217 code")->required();
  create_command->add_option("--idempotency-key", options->idempotency_key, "Makes trying again safe")
      ->check(require_header_value);
  create_command->footer(
      "\nExample:\n  switchyard --env-file .env transaction create --user alice --amount 100 --currency USD");
  with_id(add("show", "Show a transaction with its attempts", [](const Context& c, const Options& o) {
    print_transaction(c, show(TransactionClient(c, o), o.id));
    return service::exit_ok;
  }));
  auto* list_command = add("list", "List transactions, newest first", list);
  list_command->add_option("--status", options->status, "Only those in this status")->check(require_text);
  list_command->add_option("--currency", options->currency, "Only those in this currency")
      ->check(require_text);
  list_command->add_option("--limit", options->limit, "At most so many")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  list_command->add_option("--cursor", options->cursor, "Go on from an earlier page's cursor")
      ->check(require_text);
  auto* watch_command = with_id(add("watch", "Print each new status until it is settled", watch));
  watch_command->add_option("--timeout", options->timeout_s, "Seconds")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  watch_command->footer("\nExit code: 0 when authorized or captured, 1 when declined or failed.");
}

}  // namespace switchyard::cli
