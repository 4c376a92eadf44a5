// The top-level members of a small JSON object from an untrusted source, with duplicate names refused.
//
// RFC 7515, 4 and RFC 7519, 4 demand unique names; a parser that keeps the last of two would let two readers
// of one token see different claims. Safe to use from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace switchyard::token {

inline constexpr std::size_t max_json_members = 32;
inline constexpr std::size_t max_json_depth = 8;

// null, an array or an object: nothing a token needs.
struct OtherJson {};

// Integers above the range of std::int64_t are std::uint64_t; still larger ones, and numbers with a fraction
// or an exponent, are double.
using JsonValue = std::variant<OtherJson, bool, std::int64_t, std::uint64_t, double, std::string>;

class JsonMembers {
 public:
  // Nothing when the text is not exactly one valid JSON object in UTF-8 (RFC 8259), has a name twice at the
  // top level, more than max_json_members members there, or is nested deeper than max_json_depth.
  static std::optional<JsonMembers> parse(std::string_view json);

  // Null when there is no such member; valid as long as this object.
  const JsonValue* find(std::string_view name) const;

 private:
  friend class JsonMemberCollector;

  struct Member {
    std::string name;
    JsonValue value;
  };

  std::vector<Member> members_;
};

}  // namespace switchyard::token
