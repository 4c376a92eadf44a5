#include "base/environment.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace switchyard {
namespace {

constexpr std::size_t secret_bytes_min = 32;
constexpr std::string_view secret_example = "make one with: openssl rand -hex 32";

std::string_view without_quotes(std::string_view value) {
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
    return value.substr(1, value.size() - 2);
  }
  return value;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string checked_secret(const std::string& name, std::string secret) {
  if (secret.size() < secret_bytes_min) {
    throw ConfigError(
        name, fmt::format("is {} bytes long, and a secret has at least {}", secret.size(), secret_bytes_min),
        secret_example);
  }
  return secret;
}

}  // namespace

ConfigError::ConfigError(std::string_view variable, std::string_view problem, std::string_view example)
    : std::runtime_error(fmt::format("{} {} ({})", variable, problem, example)) {}

Environment Environment::of_process() {
  Environment environment;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    environment.variables_.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return environment;
}

void Environment::add_file(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    throw ConfigError(path, "cannot be read", "an environment file has lines such as HTTP_PORT=8080");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const auto content = trimmed(line);
    if (content.empty() || content.front() == '#') continue;
    const auto equals = content.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      // The line itself stays out of the message: it may hold a secret.
      throw ConfigError(path, fmt::format("has no NAME=VALUE in line {}", number),
                        "for example HTTP_PORT=8080");
    }
    const auto name = trimmed(content.substr(0, equals));
    names_in_files_.emplace_back(name);
    variables_.emplace(name, without_quotes(trimmed(content.substr(equals + 1))));
  }
}

std::optional<std::string> Environment::find(const std::string& name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::string Environment::text(const std::string& name, std::string_view otherwise) const {
  return find(name).value_or(std::string(otherwise));
}

std::int64_t Environment::integer(const std::string& name, std::int64_t otherwise, std::int64_t least,
                                  std::int64_t most) const {
  const auto value = find(name);
  if (!value) return otherwise;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size() || number < least || number > most) {
    throw ConfigError(name,
                      fmt::format("is '{}', and must be a whole number from {} to {}", *value, least, most),
                      fmt::format("for example {}={}", name, otherwise));
  }
  return number;
}

std::uint16_t Environment::port(const std::string& name, std::uint16_t otherwise) const {
  const std::int64_t example = otherwise == 0 ? 9464 : otherwise;
  if (!find(name)) return otherwise;
  return static_cast<std::uint16_t>(integer(name, example, 1, 65535));
}

std::chrono::seconds Environment::seconds(const std::string& name, std::int64_t otherwise, std::int64_t least,
                                          std::int64_t most) const {
  return std::chrono::seconds(integer(name, otherwise, least, most));
}

std::string Environment::one_of(const std::string& name, const std::vector<std::string>& values,
                                std::string_view otherwise) const {
  auto value = text(name, otherwise);
  if (std::ranges::find(values, value) == values.end()) {
    throw ConfigError(name, fmt::format("is '{}', and must be one of: {}", value, fmt::join(values, ", ")),
                      fmt::format("for example {}={}", name, values.front()));
  }
  return value;
}

std::string Environment::required_secret(const std::string& name) const {
  auto secret = find(name);
  if (!secret) throw ConfigError(name, "is not set", secret_example);
  return checked_secret(name, std::move(*secret));
}

std::optional<std::string> Environment::optional_secret(const std::string& name) const {
  auto secret = find(name);
  if (!secret) return std::nullopt;
  return checked_secret(name, std::move(*secret));
}

}  // namespace switchyard
