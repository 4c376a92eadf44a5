#include "switchyard/transaction_client.hpp"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "http/characters.hpp"
#include "http/json.hpp"
#include "service/settings.hpp"
#include "switchyard/mint_token.hpp"
#include "switchyard/replies.hpp"

namespace switchyard::cli {
namespace {

std::string require_url(const std::string& value) {
  http::ClientRequest request;
  request.url = value;
  if (http::problem_of(request).empty()) return {};
  return "must be an address such as http://127.0.0.1:8080/transaction, without blanks and control characters";
}

// Of a request that may move money it is not said that nothing was done where that is not certain.
std::string what_is_known(const http::ClientRequest& request, const http::CallFailure& failure) {
  constexpr std::string_view running = "is the server running? see: switchyard doctor";
  if (request.method != "POST") return fmt::format("; {}", running);
  if (!failure.perhaps_sent) return fmt::format("; nothing was done; {}", running);
  const bool has_key = std::ranges::any_of(
      request.headers, [](const auto& line) { return line.starts_with("Idempotency-Key:"); });
  return fmt::format("; whether it was done is not known: {}; {}",
                     has_key
                         ? "the same command with the same --key tells, and does it once"
                         : "look first (switchyard transaction show, or list), for without a --key the same "
                           "command would be another",
                     running);
}

}  // namespace

void add_caller_options(CLI::App& command, Caller& caller) {
  command.add_option("--user", caller.user, "Mint a token for this user (needs JWT_SECRET and DATABASE_URL)")
      ->check(require_text);
  command.add_option("--token", caller.token, "Use this token")->check(require_header_value);
  command
      .add_option("--url", caller.url, "Where core-api is (default: HTTP_HOST, HTTP_PORT and /transaction)")
      ->check(require_url);
}

std::string require_text(const std::string& value) {
  return http::without_blanks_around(value).empty() ? "must not be blank" : "";
}

std::string require_header_value(const std::string& value) {
  if (!std::ranges::all_of(value, http::is_value_character)) return "must not hold a control character";
  return require_text(value);
}

TransactionClient::TransactionClient(const Context& context, const Caller& caller)
    : context_(context), caller_(caller) {
  if (caller.user.empty() == caller.token.empty()) {
    throw ConfigError("--user", "or --token must be given, and only one of them", "for example --user alice");
  }
}

boost::json::value TransactionClient::call(http::ClientRequest request) const {
  request.url = base_url() + request.url;
  const auto token = caller_.token.empty() ? mint_token(context_.environment, caller_.user) : caller_.token;
  request.headers.push_back("Authorization: Bearer " + token);
  const auto response = http::send(request);
  if (!response) throw std::runtime_error(response.error().reason + what_is_known(request, response.error()));
  const auto body = http::parse_json(response->body);
  if (response->status == 200 && body) return *body;
  throw std::runtime_error(fmt::format("{} {}", response->status, problem_text(body)));
}

std::string TransactionClient::base_url() const {
  if (!caller_.url.empty()) return caller_.url;
  const auto settings = service::read_http_settings(context_.environment, 8080);
  return service::local_url(settings) + "/transaction";
}

}  // namespace switchyard::cli
