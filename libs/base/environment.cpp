#include "base/environment.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "base/read_file.hpp"
#include "base/spelling.hpp"

namespace switchyard {
namespace {

constexpr std::size_t secret_bytes_min = 32;
constexpr std::string_view secret_example = "make one with: openssl rand -hex 32";
constexpr std::size_t file_bytes_max = 1024UL * 1024;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// One line of a file. What is wrong with it never repeats it: it may hold a secret.
class Line {
 public:
  Line(const std::string& path, int number, std::string_view content)
      : path_(path), number_(number), content_(trimmed(content)) {}

  bool says_nothing() const { return content_.empty() || content_.front() == '#'; }

  std::pair<std::string_view, std::string_view> name_and_value() const {
    constexpr std::string_view blanks = " \t";
    const auto equals = content_.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      refuse("has no NAME=VALUE in line {}", "for example HTTP_PORT=8080");
    }
    const auto name = trimmed(content_.substr(0, equals));
    if (name.substr(0, name.find_first_of(blanks)) == "export" && name != "export") {
      refuse("has an 'export' in line {}", "systemd takes none: write NAME=VALUE, as in HTTP_PORT=8080");
    }
    if (name.find_first_of(blanks) != std::string_view::npos) {
      refuse("has a name with a blank in it in line {}", "for example HTTP_PORT=8080");
    }
    return {name, without_quotes(trimmed(content_.substr(equals + 1)))};
  }

 private:
  std::string_view without_quotes(std::string_view value) const {
    if (value.empty() || (value.front() != '"' && value.front() != '\'')) return value;
    const auto closing = value.find(value.front(), 1);
    if (closing == std::string_view::npos) {
      refuse("has a quote in line {} that is not closed there", "for example LOG_FORMAT=\"json\"");
    }
    if (closing != value.size() - 1) {
      refuse("has something behind the closing quote in line {}",
             "a comment has a line of its own, and a value with quotes in it stands in the other kind");
    }
    return value.substr(1, closing - 1);
  }

  [[noreturn]] void refuse(fmt::format_string<const int&> problem, std::string_view example) const {
    throw ConfigError(path_, fmt::format(problem, number_), example);
  }

  const std::string& path_;
  const int number_;
  const std::string_view content_;
};

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
  const auto content = read_file(path, file_bytes_max);
  if (!content) {
    throw ConfigError(path, content.error(), "an environment file has lines such as HTTP_PORT=8080");
  }
  std::map<std::string, std::string> in_file;
  std::string_view rest = *content;
  for (int number = 1; !rest.empty(); ++number) {
    const auto text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    const Line line(path, number, text);
    if (line.says_nothing()) continue;
    const auto [name, value] = line.name_and_value();
    names_in_files_.emplace_back(name);
    in_file.insert_or_assign(std::string(name), std::string(value));
  }
  variables_.merge(std::move(in_file));
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

std::string Environment::misspelling_of(const std::string& name) const {
  const std::array known{std::string_view(name)};
  for (const auto& found : names_in_files_) {
    if (found != name && !nearest(found, known).empty()) {
      return fmt::format(", and the environment file sets {}: perhaps {} was meant", found, name);
    }
  }
  return {};
}

std::string Environment::required_secret(const std::string& name) const {
  auto secret = find(name);
  if (!secret) throw ConfigError(name, fmt::format("is not set{}", misspelling_of(name)), secret_example);
  return checked_secret(name, std::move(*secret));
}

std::optional<std::string> Environment::optional_secret(const std::string& name) const {
  auto secret = find(name);
  if (!secret) return std::nullopt;
  return checked_secret(name, std::move(*secret));
}

}  // namespace switchyard
