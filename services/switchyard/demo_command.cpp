// switchyard demo: one payment against a running server, shown as the commands that a person would type.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "auth-api/demo_password.hpp"
#include "base/id.hpp"
#include "http/client.hpp"
#include "http/json.hpp"
#include "service/program.hpp"
#include "service/settings.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/options.hpp"
#include "switchyard/replies.hpp"

namespace switchyard::cli {
namespace {

// Nothing was paid, because there is nobody here whose password everybody knows.
constexpr int exit_no_demo_user = 3;

constexpr std::string_view demo_login = R"({"username":"alice","password":"password"})";
static_assert(auth::is_demo_password("password"));
constexpr std::string_view demo_payment = R"({"amount":100,"currency":"USD"})";
constexpr const char* json_type = "Content-Type: application/json";

constexpr std::chrono::milliseconds poll_interval{50};
// How long after the outcome the connector's last line may take to reach the log.
constexpr std::chrono::seconds log_lag{3};

struct DemoOptions {
  std::string url;
  std::string log;
  int timeout_s = 15;
};

struct NoDemoUser : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What the connector has logged about one transaction since an offset of the file.
struct ConnectorLines {
  std::vector<std::string> lines;
  // The connector says no more about it.
  bool complete = false;
};

std::uintmax_t size_of_log(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw ConfigError("--log", fmt::format("names {}, which is no regular file", path),
                      "for example --log run/switchyard.log");
  }
  return std::filesystem::file_size(path);
}

// In the text format, the line with the call of the PSP stands between others and names no transaction.
ConnectorLines read_connector_lines(const std::string& path, std::uintmax_t from, const std::string& id) {
  std::ifstream file(path);
  file.seekg(static_cast<std::streamoff>(from));
  ConnectorLines found;
  bool begun = false;
  std::string line;
  while (!found.complete && std::getline(file, line)) {
    const bool last = line.find("Result is kept") != std::string::npos;
    const bool named = line.find(id) != std::string::npos;
    begun = begun || named;
    if (!named && !(begun && (last || line.find("==> Making transaction") != std::string::npos))) continue;
    found.lines.push_back(line);
    found.complete = last;
  }
  return found;
}

class Demo {
 public:
  Demo(const Context& context, const DemoOptions& options)
      : context_(context), options_(options), base_url_(options.url) {
    while (base_url_.ends_with('/')) base_url_.pop_back();
    if (!base_url_.empty()) return;
    if (service::is_production(context.environment)) {
      throw NoDemoUser("SWITCHYARD_ENV=production has no demo users; see: switchyard user add --help");
    }
    base_url_ = service::local_url(service::read_http_settings(context.environment, 8080));
  }

  int run() {
    if (!options_.log.empty()) log_began_ = size_of_log(options_.log);
    log_in();
    const auto id = pay();
    const auto status = await_outcome(id);
    if (!options_.log.empty()) show_log(id);
    if (!ended_badly(status)) return service::exit_ok;
    throw std::runtime_error(fmt::format("the transaction ended as {}", status));
  }

 private:
  void log_in() {
    const auto url = base_url_ + "/auth/token";
    http::ClientRequest request{
        .method = "POST", .url = url, .body = std::string(demo_login), .headers = {json_type}};
    const auto reply = http::send(request);
    if (!reply)
      throw std::runtime_error(reply.error().reason + "; is the server running? see: switchyard doctor");
    const auto body = http::parse_json(reply->body);
    const auto* object = body ? body->if_object() : nullptr;
    token_ = object != nullptr ? text_of(*object, "token") : std::string();
    show(fmt::format("token=$(curl -sS -X POST {} -H '{}' -d '{}' | cut -d '\"' -f 4)", url, json_type,
                     demo_login),
         *reply);
    if (reply->status == 401) {
      throw NoDemoUser("the demo user alice is not in this store, or has another password");
    }
    if (reply->status != 200 || token_.empty()) {
      throw std::runtime_error(fmt::format("alice got no token: {} {}", reply->status, problem_text(body)));
    }
  }

  // The transaction's id.
  std::string pay() {
    const auto url = base_url_ + "/transaction/transaction";
    const auto key = "Idempotency-Key: demo-" + Uuid::generate().to_string();
    http::ClientRequest request{.method = "POST",
                                .url = url,
                                .body = std::string(demo_payment),
                                .headers = {json_type, key, authorization()}};
    const auto command =
        fmt::format("curl -X POST {} -H '{}' -H '{}' -H \"Authorization: Bearer $token\" -d '{}'", url,
                    json_type, key, demo_payment);
    const auto reply = http::send(request);
    if (!reply) {
      throw std::runtime_error(fmt::format(
          "{}; whether the payment was taken is not known, and the same request with the same key tells: {}",
          reply.error().reason, command));
    }
    show(command, *reply);
    const auto body = http::parse_json(reply->body);
    if (reply->status == 403) throw NoDemoUser("the demo user alice is disabled");
    if (reply->status != 200 || !body || !body->is_object()) {
      throw std::runtime_error(
          fmt::format("the transaction was not accepted: {} {}", reply->status, problem_text(body)));
    }
    return text_of(body->get_object(), "id");
  }

  // The settled status; throws std::runtime_error if there is none in time.
  std::string await_outcome(const std::string& id) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(options_.timeout_s);
    http::ClientRequest request{
        .url = base_url_ + "/transaction/transaction/" + id, .body = {}, .headers = {authorization()}};
    for (std::string status = "not to be seen";;) {
      const auto reply = http::send(request);
      const auto body = reply ? http::parse_json(reply->body) : std::nullopt;
      if (body && body->is_object() && reply->status == 200) status = text_of(body->get_object(), "status");
      if (is_settled(status)) {
        show(fmt::format("curl {} -H \"Authorization: Bearer $token\"", request.url), *reply);
        if (context_.json) {
          fmt::print("{}\n", boost::json::serialize(*body));
        } else {
          fmt::print("the transaction is {}\n", status);
        }
        return status;
      }
      if (std::chrono::steady_clock::now() > until) {
        throw std::runtime_error(
            fmt::format("the transaction {} is {} after {} s; does the connector run? "
                        "see: switchyard doctor",
                        id, status, options_.timeout_s));
      }
      std::this_thread::sleep_for(poll_interval);
    }
  }

  void show_log(const std::string& id) const {
    if (context_.json) return;
    const auto until = std::chrono::steady_clock::now() + log_lag;
    auto found = read_connector_lines(options_.log, log_began_, id);
    while (!found.complete && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(poll_interval);
      found = read_connector_lines(options_.log, log_began_, id);
    }
    if (found.lines.empty()) {
      fmt::print("the connector's lines about it: none in {}; LOG_LEVEL is {}\n", options_.log,
                 context_.environment.text("LOG_LEVEL", "info"));
      return;
    }
    fmt::print("the connector's lines about it, in {}:\n", options_.log);
    for (const auto& line : found.lines) fmt::print("  {}\n", line);
  }

  std::string authorization() const { return "Authorization: Bearer " + token_; }

  // The token, a secret while it is valid, is not printed as a whole.
  void show(const std::string& command, const http::ClientResponse& reply) const {
    if (context_.json) return;
    auto body = reply.body;
    if (const auto at = token_.empty() ? std::string::npos : body.find(token_); at != std::string::npos) {
      constexpr std::size_t shown = 20;
      body.replace(at, token_.size(), token_.substr(0, shown) + "...");
    }
    fmt::print("$ {}\n  {} {}\n\n", command, reply.status, body);
    std::fflush(stdout);
  }

  const Context& context_;
  const DemoOptions& options_;
  std::string base_url_;
  std::string token_;
  std::uintmax_t log_began_ = 0;
};

int run_demo(const Context& context, const DemoOptions& options) {
  try {
    return Demo(context, options).run();
  } catch (const NoDemoUser& error) {
    std::fflush(stdout);
    fmt::print(stderr, "switchyard: {}: nothing was paid\n", error.what());
    return exit_no_demo_user;
  }
}

}  // namespace

void add_demo_command(CLI::App& app, Context& context) {
  auto options = std::make_shared<DemoOptions>();
  auto* command =
      app.add_subcommand("demo", "Make one payment as the demo user alice, over HTTP, and show how");
  command->add_option("--url", options->url, "Where Switchyard is (default: HTTP_HOST and HTTP_PORT)");
  command->add_option("--log", options->log, "The connector's log, to show its lines about the payment")
      ->check(CLI::ExistingFile);
  command->add_option("--timeout", options->timeout_s, "Seconds until it must have an outcome")
      ->check(whole_number(1, 86'400))
      ->capture_default_str();
  command->footer(
      "\nPrints each request as a command that can be pasted, and its reply; with --json the transaction only.\n"
      "Example:\n  switchyard --env-file .env demo --log run/switchyard.log\n"
      "\nExit code: 0 paid, 1 not paid or not known, 2 a wrong setting, 3 there is no demo user here.");
  command->callback(
      [&context, options] { context.action = [&context, options] { return run_demo(context, *options); }; });
}

}  // namespace switchyard::cli
