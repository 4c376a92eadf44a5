#include "http/json.hpp"

#include <cmath>
#include <limits>
#include <string>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>

namespace switchyard::http {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

constexpr std::size_t depth_max = 32;

// Builds the value as json::parser does, and refuses what that one lets pass: it keeps the last of two
// members with one name, makes infinity of 1e400, and takes any number of values.
class StrictHandler {
 public:
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  StrictHandler(const JsonBounds& bounds, json::storage_ptr memory) : bounds_(bounds) {
    stack_.reset(std::move(memory));
  }

  json::value release() { return stack_.release(); }
  std::size_t members_seen() const { return members_seen_; }
  JsonFault fault() const { return fault_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& error) { return count_value(error); }
  bool on_object_end(std::size_t size, error_code& error) {
    if (size > bounds_.members_per_object_max) return refuse(JsonFault::too_many_members, error);
    stack_.push_object(size);
    return true;
  }
  bool on_array_begin(error_code& error) { return count_value(error); }
  bool on_array_end(std::size_t size, error_code&) {
    stack_.push_array(size);
    return true;
  }
  bool on_key_part(string_view text, std::size_t, error_code&) {
    stack_.push_chars(text);
    return true;
  }
  bool on_key(string_view text, std::size_t, error_code&) {
    ++members_seen_;
    stack_.push_key(text);
    return true;
  }
  bool on_string_part(string_view text, std::size_t, error_code&) {
    stack_.push_chars(text);
    return true;
  }
  bool on_string(string_view text, std::size_t, error_code& error) {
    stack_.push_string(text);
    return count_value(error);
  }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t number, string_view, error_code& error) {
    stack_.push_int64(number);
    return count_value(error);
  }
  bool on_uint64(std::uint64_t number, string_view, error_code& error) {
    stack_.push_uint64(number);
    return count_value(error);
  }
  bool on_double(double number, string_view, error_code& error) {
    if (!std::isfinite(number)) return refuse(JsonFault::malformed, error);
    stack_.push_double(number);
    return count_value(error);
  }
  bool on_bool(bool value, error_code& error) {
    stack_.push_bool(value);
    return count_value(error);
  }
  bool on_null(error_code& error) {
    stack_.push_null();
    return count_value(error);
  }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  // The document itself is one more.
  bool count_value(error_code& error) {
    return values_seen_++ <= bounds_.values_max || refuse(JsonFault::too_many_values, error);
  }
  bool refuse(JsonFault fault, error_code& error) {
    fault_ = fault;
    error = json::error::object_too_large;
    return false;
  }

  const JsonBounds bounds_;
  json::value_stack stack_;
  std::size_t members_seen_ = 0;
  std::size_t values_seen_ = 0;
  JsonFault fault_ = JsonFault::malformed;
};

std::size_t count_members(const json::value& value) {
  std::size_t count = 0;
  if (const auto* object = value.if_object()) {
    count += object->size();
    for (const auto& member : *object) count += count_members(member.value());
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) count += count_members(item);
  }
  return count;
}

}  // namespace

std::expected<json::value, JsonFault> read_json(std::string_view text, const JsonBounds& bounds,
                                                json::storage_ptr memory) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<StrictHandler> parser(options, bounds, std::move(memory));
  error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (error || read != text.size()) return std::unexpected(parser.handler().fault());
  auto value = parser.handler().release();
  if (count_members(value) != parser.handler().members_seen()) return std::unexpected(JsonFault::malformed);
  return value;
}

std::optional<json::value> parse_json(std::string_view text, json::storage_ptr memory) {
  auto value = read_json(text, peer_json_bounds, std::move(memory));
  if (!value) return std::nullopt;
  return std::move(*value);
}

std::string json_string(std::string_view text) {
  return json::serialize(string_view(text.data(), text.size()));
}

}  // namespace switchyard::http
