#include "switchyard/options.hpp"

#include <charconv>

#include <fmt/format.h>

#include "base/id.hpp"
#include "switchyard/times.hpp"

namespace switchyard::cli {
namespace {

// Only what is written as we would write it: no sign, no zero in front.
bool is_number(const std::string& text, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const auto error = std::from_chars(text.data(), text.data() + text.size(), number).ec;
  return error == std::errc() && text == fmt::format("{}", number) && number >= least && number <= most;
}

}  // namespace

std::string require_transaction_id(const std::string& value) {
  if (Uuid::parse(value)) return {};
  return fmt::format("'{}' is not a transaction id, which is a UUID", value);
}

std::string require_moment(const std::string& value) {
  return parse_moment(value) ? ""
                             : "must be a date such as 2026-11-22, or a time such as 2026-11-22T15:37:32Z";
}

std::string require_since(const std::string& value) {
  return parse_since(value, SystemClock().now())
             ? ""
             : "must be an age such as 90d, 12h or 30m, or a time such as 2026-11-22 or 2026-11-22T15:37:32Z";
}

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const auto range = fmt::format("{} to {}", least, most);
  const auto check = [least, most, range](const std::string& value) -> std::string {
    return is_number(value, least, most) ? "" : fmt::format("must be a whole number from {}", range);
  };
  return {check, range};
}

CLI::Option& add_transaction_id(CLI::App& command, std::string& id) {
  return *command.add_option("id", id, "The transaction")->required()->check(require_transaction_id);
}

}  // namespace switchyard::cli
