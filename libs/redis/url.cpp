#include "redis/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/environment.hpp"

namespace switchyard::redis {
namespace {

constexpr std::uint16_t redis_port = 6379;
constexpr std::uint16_t sentinel_port = 26379;
constexpr std::size_t socket_path_max = 107;  // sockaddr_un
constexpr std::int64_t database_max = 1'000'000;

[[noreturn]] void refuse(std::string_view problem, bool sentinels = false) {
  throw ConfigError("REDIS_URL", problem,
                    sentinels
                        ? "for example REDIS_URL=redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster"
                        : "for example REDIS_URL=redis://127.0.0.1:6379/0");
}

// Gives what stands before the separator and leaves what stands behind it; all of it if there is none.
std::string_view take_until(std::string_view& text, char separator) {
  const auto position = text.find(separator);
  const auto taken = text.substr(0, position);
  text = position == std::string_view::npos ? std::string_view() : text.substr(position + 1);
  return taken;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text, Number least, Number most) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most)
    return std::nullopt;
  return number;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned byte = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) {
      refuse("has a % in its user or password that no two hexadecimal digits follow; write % as %25");
    }
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

void take_credentials(std::string_view& rest, Url& url) {
  // A password may hold '/' or '@' only as %2F and %40, so the last '@' before the path ends it.
  const auto at = rest.substr(0, rest.find('/')).rfind('@');
  const bool is_socket = rest.starts_with('/');
  if (at == std::string_view::npos && !is_socket && rest.find('@') != std::string_view::npos) {
    refuse("has an '@' behind a '/'; a password in a URL is percent-encoded: / is %2F, @ is %40, % is %25");
  }
  if (at == std::string_view::npos) return;
  auto credentials = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  const auto user = take_until(credentials, ':');
  url.user = percent_decoded(user);
  url.password = percent_decoded(credentials);
  if (url.password.empty()) refuse("names a user without a password; write :password@ or user:password@");
}

Endpoint parse_endpoint(std::string_view text, std::uint16_t port_default) {
  Endpoint endpoint{{}, port_default};
  if (text.starts_with('[')) {
    // An IPv6 address (RFC 3986, 3.2.2).
    text.remove_prefix(1);
    if (text.find(']') == std::string_view::npos) refuse("has a '[' without its ']'");
    endpoint.host = take_until(text, ']');
    if (!text.empty() && !text.starts_with(':')) refuse("has something other than a port behind ']'");
    if (!text.empty()) text.remove_prefix(1);
  } else {
    endpoint.host = take_until(text, ':');
  }
  if (endpoint.host.empty()) refuse("names no host");
  if (!text.empty()) {
    const auto port = parse_number<std::uint16_t>(text, 1, 65535);
    if (!port) refuse("has a port that is no number from 1 to 65535");
    endpoint.port = *port;
  }
  return endpoint;
}

std::int64_t parse_database(std::string_view text) {
  const auto database = parse_number<std::int64_t>(text, 0, database_max);
  if (!database) refuse("has a database that is no number from 0 on");
  return *database;
}

Url parse_socket(std::string_view rest) {
  Url url;
  take_credentials(rest, url);
  url.socket_path = take_until(rest, '?');
  if (url.socket_path.size() < 2 || url.socket_path.front() != '/' ||
      url.socket_path.size() > socket_path_max) {
    refuse("needs the whole path of a socket behind unix://");
  }
  if (!rest.empty()) {
    if (!rest.starts_with("db=")) refuse("has an option other than db");
    url.database = parse_database(rest.substr(3));
  }
  return url;
}

Url parse_server(std::string_view rest, bool tls) {
  Url url;
  url.tls = tls;
  take_credentials(rest, url);
  url.endpoints.push_back(parse_endpoint(take_until(rest, '/'), redis_port));
  if (!rest.empty()) url.database = parse_database(rest);
  return url;
}

Url parse_sentinels(std::string_view rest, bool tls) {
  Url url;
  url.tls = tls;
  take_credentials(rest, url);
  auto hosts = take_until(rest, '/');
  do {
    url.endpoints.push_back(parse_endpoint(take_until(hosts, ','), sentinel_port));
  } while (!hosts.empty());
  url.service = take_until(rest, '/');
  if (url.service.empty()) refuse("does not name the service that the sentinels watch", true);
  if (!rest.empty()) url.database = parse_database(rest);
  return url;
}

}  // namespace

Url parse_url(std::string_view text) {
  const auto scheme_end = text.find("://");
  const auto scheme = text.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end);
  const auto rest = text.substr(std::min(text.size(), scheme.size() + 3));
  if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c == '\x7f'; })) {
    refuse("has a space or a control character in it");
  }
  if (scheme == "redis" || scheme == "rediss") return parse_server(rest, scheme == "rediss");
  if (scheme == "unix") return parse_socket(rest);
  if (scheme == "redis+sentinel" || scheme == "rediss+sentinel") {
    return parse_sentinels(rest, scheme == "rediss+sentinel");
  }
  refuse("must begin with redis://, rediss://, unix:// or redis+sentinel://");
}

std::string Url::to_string() const {
  if (!socket_path.empty()) return fmt::format("unix://{}?db={}", socket_path, database);
  std::vector<std::string> hosts;
  hosts.reserve(endpoints.size());
  for (const auto& [host, port] : endpoints) {
    hosts.push_back(host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                                        : fmt::format("[{}]:{}", host, port));
  }
  return fmt::format("{}{}://{}{}{}/{}", tls ? "rediss" : "redis", has_sentinels() ? "+sentinel" : "",
                     fmt::join(hosts, ","), has_sentinels() ? "/" : "", service, database);
}

}  // namespace switchyard::redis
