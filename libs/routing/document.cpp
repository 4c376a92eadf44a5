#include "routing/document.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "money/printable.hpp"
#include "routing/plain_text.hpp"

// The only file that reads this header. No routing file nests as deep as this. The library's assertions fail
// for texts that are merely wrong, such as "[=", which it then refuses as it should.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

namespace switchyard::routing {
namespace {

Position position_of(const toml::source_region& source) {
  // A table that nothing but its members names has no place of its own.
  return {std::max(source.begin.line, 1U), std::max(source.begin.column, 1U)};
}

Value converted(const toml::node& node);

std::vector<Value> members_of(const toml::table& table) {
  std::vector<Value> members;
  members.reserve(table.size());
  for (const auto& [key, node] : table) {
    auto& member = members.emplace_back(converted(node));
    member.name = key.str();
    member.named_at = position_of(key.source());
  }
  std::ranges::sort(members, {}, &Value::named_at);
  return members;
}

Value converted(const toml::node& node) {
  Value value{.at = position_of(node.source())};
  if (const auto* table = node.as_table()) {
    value.items = members_of(*table);
  } else if (const auto* array = node.as_array()) {
    value.kind = Value::Kind::list;
    value.items.reserve(array->size());
    for (const auto& item : *array) value.items.push_back(converted(item));
  } else if (const auto* text = node.as_string()) {
    value.kind = Value::Kind::text;
    value.text = text->get();
  } else if (const auto* number = node.as_integer()) {
    value.kind = Value::Kind::whole_number;
    value.number = number->get();
  } else if (const auto* yes = node.as_boolean()) {
    value.kind = Value::Kind::yes_or_no;
    value.yes = yes->get();
  } else {
    value.kind = node.is_floating_point() ? Value::Kind::fraction : Value::Kind::date_or_time;
  }
  return value;
}

Finding syntax_error(const toml::parse_error& error) {
  constexpr std::string_view right = "see toml.io; a text stands in quotes";
  // It repeats what it did not understand.
  const auto description = printable(error.description());
  return {position_of(error.source()),
          looks_like_secret(description) ? std::string("this is no TOML") : "no TOML: " + description,
          std::string(right)};
}

}  // namespace

std::string_view to_string(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::text:
      return "a text";
    case Value::Kind::whole_number:
      return "a whole number";
    case Value::Kind::fraction:
      return "a number with a fraction";
    case Value::Kind::yes_or_no:
      return "true or false";
    case Value::Kind::date_or_time:
      return "a date or a time";
    case Value::Kind::list:
      return "a list";
    case Value::Kind::table:
      break;
  }
  return "a table";
}

const Value* find_member(const Value& table, std::string_view name) {
  if (table.kind != Value::Kind::table) return nullptr;
  const auto found = std::ranges::find(table.items, name, &Value::name);
  return found == table.items.end() ? nullptr : &*found;
}

std::expected<Value, Finding> read_document(std::string_view text) {
  if (text.size() > document_bytes_max) {
    return std::unexpected(Finding{{},
                                   fmt::format("the file has {} bytes", text.size()),
                                   fmt::format("at most {} are read", document_bytes_max)});
  }
  if (auto finding = why_not_plain(text)) return std::unexpected(std::move(*finding));
  const auto parsed = toml::parse(text);
  if (!parsed) return std::unexpected(syntax_error(parsed.error()));
  return converted(parsed.table());
}

}  // namespace switchyard::routing
