// URLs and environment files: whatever is wrong with one, no piece of its password is in the error or in what
// is logged.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/environment.hpp"
#include "fuzz/input.hpp"
#include "http/async_client.hpp"
#include "postgres/connection.hpp"
#include "redis/url.hpp"
#include "store/open.hpp"

namespace switchyard::fuzz {
namespace {

// Letters that no message of ours has side by side, and what a URL gives a meaning to.
constexpr std::string_view letters = "QXZJWKVqxzjkQXZJWKVqxzjk";
constexpr std::string_view marks = ":@/%?#[]&=+;, '\"\\";
constexpr std::size_t piece = 3;

// A password of what the input chooses.
std::string password_of(std::string_view bytes) {
  std::string password;
  for (const char c : bytes) {
    const auto index = static_cast<unsigned char>(c);
    password += index < 128 ? letters[index % letters.size()] : marks[index % marks.size()];
  }
  return password;
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text)
    encoded +=
        letters.contains(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return encoded;
}

void check_silent(std::string_view message, std::string_view password) {
  for (std::size_t i = 0; i + piece <= password.size(); ++i) {
    const auto part = password.substr(i, piece);
    const bool telling = std::ranges::all_of(part, [](char c) { return letters.contains(c); });
    SWITCHYARD_ASSERT(!telling || message.find(part) == std::string_view::npos);
  }
  const auto printable = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  SWITCHYARD_ASSERT(std::ranges::all_of(message, printable));
}

// Null if it is refused.
std::optional<redis::Url> read_redis_url(const std::string& text, std::string_view password) {
  try {
    return redis::parse_url(text);
  } catch (const ConfigError& error) {
    check_silent(error.what(), password);
    return std::nullopt;
  }
}

void check_redis(const std::string& text, std::string_view password) {
  const auto url = read_redis_url(text, password);
  if (!url) return;
  SWITCHYARD_ASSERT(url->endpoints.empty() != url->socket_path.empty());
  const auto shown = url->to_string();
  const auto again = read_redis_url(shown, {});
  // A '?' or '@' may be in a socket's path, and a service may have any name.
  if (!again) return;
  SWITCHYARD_ASSERT(again->user.empty() && again->password.empty());
}

// A password that is encoded as it should be is read as it is, and is not shown.
void check_redis_password(std::string_view scheme, std::string_view user, std::string_view password) {
  if (password.empty()) return;
  const auto text =
      fmt::format("{}://{}:{}@127.0.0.1:6379/{}", scheme, percent_encoded(user), percent_encoded(password),
                  scheme.ends_with("sentinel") ? "service/1"
                  : scheme == "unix"           ? "socket?db=1"
                                               : "1");
  const auto url = read_redis_url(text, password);
  if (scheme == "unix") return;
  SWITCHYARD_ASSERT(url && url->password == password && url->user == user && url->database == 1);
  check_silent(url->to_string(), password);
}

void check_store(const std::string& text, std::string_view password) {
  try {
    if (!store::is_postgres(text)) return static_cast<void>(store::sqlite_path(text));
  } catch (const ConfigError& error) {
    return check_silent(error.what(), password);
  }
  if (const auto wrong = postgres::why_malformed(text)) check_silent(*wrong, password);
}

void check_base_url(const std::string& text, std::string_view password) {
  check_silent(http::problem_of_base_url(text), password);
}

// A file of this process, written anew for each input.
void check_environment(std::string_view text, std::string_view password) {
  static const auto path = fmt::format("/tmp/switchyard-fuzz-{}.env", ::getpid());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text << "\nJWT_SECRET " << password << "\n";
  Environment environment;
  try {
    environment.add_file(path);
    SWITCHYARD_ASSERT(password.find('=') != std::string_view::npos);
  } catch (const ConfigError& error) {
    check_silent(error.what(), password);
  }
  std::filesystem::remove(path);
  environment.set("JWT_SECRET", std::string(password));
  try {
    SWITCHYARD_ASSERT(environment.required_secret("JWT_SECRET").size() >= 32);
  } catch (const ConfigError& error) {
    check_silent(error.what(), password);
  }
}

}  // namespace

// The first line chooses the password, the second is a URL in which it stands at each '*'; the third is a
// user.
void check(Input input) {
  constexpr std::array schemes = {"redis", "rediss", "redis+sentinel", "rediss+sentinel", "unix"};
  const auto scheme = schemes[input.below(schemes.size())];
  const auto password = password_of(input.line());
  std::string text;
  for (const char c : input.line()) text += c == '*' ? password : std::string(1, c);
  check_redis(text, password);
  check_redis_password(scheme, password_of(input.line()), password);
  check_store(text, password);
  check_base_url(text, password);
  check_environment(input.rest(), password);
}

}  // namespace switchyard::fuzz
