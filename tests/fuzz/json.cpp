// Strict JSON and what POST /transaction makes of it: whatever is accepted is what Boost.JSON's own parser
// reads and can be written and read again; the fingerprint is of what a body says, not of how it is written.
#include "http/json.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core-api/create_request.hpp"
#include "fuzz/input.hpp"
#include "money/card_number.hpp"

namespace switchyard::fuzz {
namespace {

namespace json = boost::json;

constexpr std::int64_t amount_max = 1'000'000'000'000;

std::string_view view(const auto& text) {
  return {text.data(), text.size()};
}

// Boost.JSON reads a double less exactly than it writes it.
bool same(double left, double right) {
  return std::abs(left - right) <= 1e-14 * std::max(std::abs(left), std::abs(right));
}

bool same(const json::value& left, const json::value& right) {
  if (left.is_double() && right.is_double()) return same(left.get_double(), right.get_double());
  if (left.is_array() && right.is_array()) {
    return std::ranges::equal(left.get_array(), right.get_array(),
                              [](const auto& l, const auto& r) { return same(l, r); });
  }
  if (left.is_object() && right.is_object()) {
    const auto& other = right.get_object();
    return left.get_object().size() == other.size() &&
           std::ranges::all_of(left.get_object(), [&other](const auto& member) {
             const auto* found = other.if_contains(member.key());
             return found != nullptr && same(member.value(), *found);
           });
  }
  return left == right;
}

// Whether each number of the value is read back as it was written.
bool is_exact(const json::value& value) {
  switch (value.kind()) {
    case json::kind::double_:
      return json::parse(json::serialize(value)) == value;
    case json::kind::array:
      return std::ranges::all_of(value.get_array(), is_exact);
    case json::kind::object:
      return std::ranges::all_of(value.get_object(),
                                 [](const auto& member) { return is_exact(member.value()); });
    default:
      return true;
  }
}

std::size_t depth_of(const json::value& value) {
  std::size_t depth = 0;
  if (value.is_array()) {
    for (const auto& item : value.get_array()) depth = std::max(depth, depth_of(item));
  } else if (value.is_object()) {
    for (const auto& member : value.get_object()) depth = std::max(depth, depth_of(member.value()));
  } else {
    return 0;
  }
  return depth + 1;
}

// The same value in other words: members in the opposite order, white space everywhere, text in escapes.
void append_otherwise(std::string& out, const json::value& value);

void append_escaped(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c > 0x20 && c < 0x7f) {
      constexpr std::string_view hex = "0123456789abcdef";
      out += "\\u00";
      out += hex[static_cast<std::size_t>(c) >> 4];
      out += hex[static_cast<std::size_t>(c) & 15];
    } else {
      // As it stands within its quotes.
      const auto written = json::serialize(json::string_view(&c, 1));
      out += static_cast<unsigned char>(c) < 0x20 ? written.substr(1, written.size() - 2) : std::string(1, c);
    }
  }
  out += '"';
}

void append_object(std::string& out, const json::object& object) {
  std::vector<const json::key_value_pair*> members;
  for (const auto& member : object) members.insert(members.begin(), &member);
  out += "{\r\n";
  for (const auto* member : members) {
    if (member != members.front()) out += " ,\t";
    append_escaped(out, view(member->key()));
    out += " : ";
    append_otherwise(out, member->value());
  }
  out += "\n}";
}

void append_otherwise(std::string& out, const json::value& value) {
  if (value.is_object()) {
    append_object(out, value.get_object());
  } else if (value.is_array()) {
    out += "[ ";
    for (const auto& item : value.get_array()) {
      if (&item != &value.get_array().front()) out += "\n, ";
      append_otherwise(out, item);
    }
    out += " ]";
  } else if (value.is_string()) {
    append_escaped(out, view(value.get_string()));
  } else {
    out += json::serialize(value);
  }
}

void check_strictness(std::string_view text, const std::optional<json::value>& value) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = 64;
  const auto plain = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (!value) return;
  SWITCHYARD_ASSERT(!error && plain == *value);
  SWITCHYARD_ASSERT(depth_of(*value) <= 32);
  const auto again = http::parse_json(json::serialize(*value));
  SWITCHYARD_ASSERT(again.has_value() ? same(*again, *value) : !is_exact(*value));
}

void check_money(const json::object& body) {
  const auto money = core::read_money(body, amount_max);
  if (!money) {
    SWITCHYARD_ASSERT(money.error().status == 422 && http::parse_json(money.error().body));
    return;
  }
  SWITCHYARD_ASSERT(money->minor() > 0 && money->minor() <= amount_max);
  const auto& amount = body.at("amount");
  SWITCHYARD_ASSERT(amount.is_int64() ? amount.get_int64() == money->minor()
                                      : view(amount.get_string()) == std::to_string(money->minor()));
  SWITCHYARD_ASSERT(view(body.at("currency").get_string()) == money->currency().code());
}

void check_fingerprint(const json::object& body) {
  const auto fingerprint = core::fingerprint_of(body);
  SWITCHYARD_ASSERT(fingerprint.size() == 32);

  json::object changed(body);
  changed["token"] = "another";
  SWITCHYARD_ASSERT(core::fingerprint_of(changed) == fingerprint);
  const auto amount = core::read_money(body, amount_max);
  if (amount) {
    changed["amount"] = body.at("amount").is_int64() ? json::value(std::to_string(amount->minor()))
                                                     : json::value(amount->minor());
    SWITCHYARD_ASSERT(core::fingerprint_of(changed) == fingerprint);
    changed["amount"] = amount->minor() + 1;
    SWITCHYARD_ASSERT(core::fingerprint_of(changed) != fingerprint);
  }
  changed = body;
  changed["one member more"] = nullptr;
  SWITCHYARD_ASSERT(body.contains("one member more") || core::fingerprint_of(changed) != fingerprint);

  if (!is_exact(body)) return;
  std::string otherwise;
  append_object(otherwise, body);
  const auto again = http::parse_json(otherwise);
  SWITCHYARD_ASSERT(again && core::fingerprint_of(again->get_object()) == fingerprint);
}

void check_card_numbers(const json::object& body) {
  const auto checked = core::refuse_card_numbers(body);
  // A name or text that is one needs no look at what is around it.
  SWITCHYARD_ASSERT(checked ? !contains_card_number(json::serialize(body)) : checked.error().status == 422);
  if (!checked) SWITCHYARD_ASSERT(!contains_card_number(checked.error().body));
}

}  // namespace

void check(Input input) {
  const auto text = input.rest();
  const auto value = http::parse_json(text);
  check_strictness(text, value);
  if (!value || !value->is_object()) return;
  const auto& body = value->get_object();
  check_money(body);
  check_fingerprint(body);
  check_card_numbers(body);
}

}  // namespace switchyard::fuzz
