#include "token/json_members.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>

namespace switchyard::token {

namespace json = boost::json;

// Boost.JSON's own parser keeps the last of two members with one name; this handler of its events sees both.
class JsonMemberCollector {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  JsonMembers take() { return std::move(members_); }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }

  bool on_object_begin(json::error_code& error) {
    if (depth_ == 0 || add(OtherJson{}, error)) ++depth_;
    return !error;
  }
  bool on_object_end(std::size_t, json::error_code&) { return --depth_, true; }
  bool on_array_begin(json::error_code& error) {
    if (add(OtherJson{}, error)) ++depth_;
    return !error;
  }
  bool on_array_end(std::size_t, json::error_code&) { return --depth_, true; }

  bool on_key_part(json::string_view part, std::size_t, json::error_code&) { return append(part); }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    append(part);
    return depth_ == 1 ? name(std::exchange(text_, {}), error) : (text_.clear(), true);
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) { return append(part); }
  bool on_string(json::string_view part, std::size_t, json::error_code& error) {
    append(part);
    return add(std::exchange(text_, {}), error);
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view, json::error_code& error) { return add(value, error); }
  bool on_uint64(std::uint64_t value, json::string_view, json::error_code& error) {
    return add(value, error);
  }
  bool on_double(double value, json::string_view, json::error_code& error) { return add(value, error); }
  bool on_bool(bool value, json::error_code& error) { return add(value, error); }
  bool on_null(json::error_code& error) { return add(OtherJson{}, error); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  bool append(json::string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }

  bool name(std::string name, json::error_code& error) {
    if (members_.find(name) != nullptr || members_.members_.size() == max_json_members) {
      error = json::error::object_too_large;
      return false;
    }
    members_.members_.push_back({std::move(name), OtherJson{}});
    return true;
  }

  // A value at the top level belongs to the name before it; deeper ones are only checked for syntax.
  bool add(JsonValue value, json::error_code& error) {
    if (depth_ == 0) {
      error = json::error::not_object;
      return false;
    }
    if (depth_ == 1) members_.members_.back().value = std::move(value);
    return true;
  }

  JsonMembers members_;
  std::string text_;
  std::size_t depth_ = 0;
};

std::optional<JsonMembers> JsonMembers::parse(std::string_view json) {
  json::parse_options options;
  options.max_depth = max_json_depth;
  json::basic_parser<JsonMemberCollector> parser(options);
  json::error_code error;
  const std::size_t parsed = parser.write_some(false, json.data(), json.size(), error);
  if (error || parsed != json.size()) return std::nullopt;
  return parser.handler().take();
}

const JsonValue* JsonMembers::find(std::string_view name) const {
  const auto member = std::ranges::find(members_, name, &Member::name);
  return member == members_.end() ? nullptr : &member->value;
}

}  // namespace switchyard::token
