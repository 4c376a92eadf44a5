#include "routing/reading.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/spelling.hpp"
#include "money/printable.hpp"

namespace switchyard::routing {
namespace {

// More names than that are no help in one line.
constexpr std::size_t names_listed_max = 20;

void add_secret(Position at, Findings& findings) {
  findings.add(at, "a secret stands here (it is not repeated)",
               "put it into an environment variable and write the variable's name, such as "
               "secret_key_env = \"STRIPE_SECRET_KEY\"; whoever has seen this file may know it: replace it");
}

bool can_be_shown(std::string_view name) {
  return !looks_like_secret(name) && printable(name) == name;
}

}  // namespace

bool is_kind(Value::Kind kind, const Value& value, std::string_view what, std::string_view right,
             Findings& findings) {
  if (value.kind == kind) return true;
  findings.add(value.at, fmt::format("{} is {}", what, to_string(value.kind)), std::string(right));
  return false;
}

std::string right_name(std::string_view name, std::span<const std::string_view> all_known) {
  std::vector<std::string_view> known;
  std::ranges::copy_if(all_known, std::back_inserter(known), can_be_shown);
  if (const auto meant = nearest(name, known); !meant.empty()) return fmt::format("write '{}'", meant);
  if (known.empty()) return "there is none yet";
  const bool all = known.size() <= names_listed_max;
  known.resize(std::min(known.size(), names_listed_max));
  return fmt::format("known are {}{}", fmt::join(known, ", "), all ? "" : ", ...");
}

void check_members(const Value& table, std::string_view where, std::span<const std::string_view> known,
                   Findings& findings) {
  for (const auto& member : table.items) {
    if (std::ranges::find(known, member.name) != known.end()) continue;
    // Who writes secret_key means secret_key_env.
    const auto as_variable = member.name + "_env";
    const bool is_variable = std::ranges::find(known, as_variable) != known.end();
    findings.add(member.named_at, fmt::format("unknown member {} of {}", quoted(member.name), where),
                 is_variable
                     ? fmt::format("write '{}', with the name of an environment variable", as_variable)
                     : right_name(member.name, known));
  }
}

std::vector<const Value*> one_or_more(const Value& value, std::string_view what, Findings& findings) {
  if (value.kind != Value::Kind::list) return {&value};
  if (value.items.empty()) {
    findings.add(value.at, fmt::format("{} is an empty list", what), "leave it out, or name something");
  }
  std::vector<const Value*> all;
  all.reserve(value.items.size());
  for (const auto& item : value.items) all.push_back(&item);
  return all;
}

void check_for_secrets(const Value& value, Findings& findings) {
  if (looks_like_secret(value.name)) add_secret(value.named_at, findings);
  if (looks_like_secret(value.text)) add_secret(value.at, findings);
  for (const auto& item : value.items) check_for_secrets(item, findings);
}

}  // namespace switchyard::routing
