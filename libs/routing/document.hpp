// A TOML text (toml.io, version 1.0) as a tree in which everything knows where it stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "routing/finding.hpp"

namespace switchyard::routing {

struct Value {
  enum class Kind { text, whole_number, fraction, yes_or_no, date_or_time, list, table };

  Position at{};
  Kind kind = Kind::table;
  // What the kind says; the others are empty. Nothing is kept of a fraction, a date or a time.
  std::string text{};
  std::int64_t number = 0;
  bool yes = false;
  // Of a list, or the members of a table in the order in which they stand in the file.
  std::vector<Value> items{};

  // Of a member of a table.
  std::string name{};
  Position named_at{};
};

// For people: "a text", "a list".
std::string_view to_string(Value::Kind kind);

// Nothing: there is no such member.
const Value* find_member(const Value& table, std::string_view name);

inline constexpr std::size_t document_bytes_max = 1024UL * 1024;

// A table, or the first thing that is wrong: too large, no plain text (plain_text.hpp), no TOML.
std::expected<Value, Finding> read_document(std::string_view text);

}  // namespace switchyard::routing
