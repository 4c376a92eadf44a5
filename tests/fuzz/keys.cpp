// What a client may name: an Idempotency-Key (RFC 9651, 3.3.3), a transaction's id, the filters of a list.
// One thing in several spellings is one thing.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <boost/beast/http/fields.hpp>
#include <fmt/format.h>

#include "base/id.hpp"
#include "base/utf8.hpp"
#include "core-api/create_request.hpp"
#include "core-api/list_request.hpp"
#include "fuzz/input.hpp"
#include "http/message.hpp"
#include "http/query.hpp"
#include "http/testing.hpp"
#include "money/card_number.hpp"

namespace switchyard::fuzz {
namespace {

constexpr std::size_t key_bytes_max = 255;

std::expected<core::RequestKey, http::Response> read_key(std::string_view value) {
  boost::beast::http::fields headers;
  headers.insert("Idempotency-Key", boost::string_view(value.data(), value.size()));
  return core::read_idempotency_key(http::request_of(http::Method::post, {}, headers));
}

std::string as_structured_string(std::string_view key) {
  std::string text = "\"";
  for (const char c : key) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

// Blanks and tabs around it are no part of a field's value (RFC 9110, 5.5).
std::string_view without_edges(std::string_view value) {
  const auto begin = std::min(value.find_first_not_of(" \t"), value.size());
  return value.substr(begin, value.find_last_not_of(" \t") + 1 - begin);
}

void check_key(std::string_view field) {
  const auto read = read_key(field);
  if (!read) {
    SWITCHYARD_ASSERT(read.error().status == 400 || read.error().status == 422);
    SWITCHYARD_ASSERT(!contains_card_number(read.error().body));
    return;
  }
  const auto& key = read->key;
  SWITCHYARD_ASSERT(!key.empty() && key.size() <= key_bytes_max && !contains_card_number(key));
  SWITCHYARD_ASSERT(std::ranges::all_of(key, [](char c) { return c >= 0x20 && c < 0x7f; }));
  const auto value = without_edges(field);
  // What begins with a quotation mark is a string or nothing; anything else stands for itself.
  if (!value.starts_with('"')) SWITCHYARD_ASSERT(key == value);
  for (const auto* parameters : {"", ";p", ";p=1;q=\"x\"", "; p=?1"}) {
    const auto again = read_key(as_structured_string(key) + parameters);
    SWITCHYARD_ASSERT(again && again->key == key);
  }
}

void check_id(std::string_view text) {
  const auto id = Uuid::parse(text);
  if (!id) return;
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  SWITCHYARD_ASSERT(id->to_string() == lower && Uuid::parse(lower) == id);
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) encoded += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return encoded;
}

// The same query with each byte in an escape.
std::string written_otherwise(const std::vector<http::QueryParameter>& parameters) {
  std::string query;
  for (const auto& [name, value] : parameters)
    query += "&" + percent_encoded(name) + "=" + percent_encoded(value);
  return query;
}

void check_is_in_filter(const store::TransactionFilter& filter, const http::QueryParameter& parameter) {
  const auto& [name, value] = parameter;
  if (name == "status") {
    SWITCHYARD_ASSERT(payment::parse_status(value) &&
                      (filter.status == payment::parse_status(value) || filter.limit == 0));
  } else if (name == "attention") {
    SWITCHYARD_ASSERT(value == "true" &&
                      (filter.status == payment::Status::manual_review || filter.limit == 0));
  } else if (name == "currency") {
    SWITCHYARD_ASSERT(filter.currency && filter.currency->code() == value);
  } else if (name == "cursor") {
    SWITCHYARD_ASSERT(filter.before.has_value());
  } else if (name == "reference") {
    SWITCHYARD_ASSERT(!value.empty() && filter.reference == value && as_utf8(value) == value);
  } else if (name == "created_from") {
    SWITCHYARD_ASSERT(filter.created_from.has_value());
  } else if (name == "created_to") {
    SWITCHYARD_ASSERT(filter.created_to.has_value());
  } else {
    SWITCHYARD_ASSERT(name == "limit");
  }
}

void check_query(std::string_view query) {
  const auto parameters = http::parse_query(query);
  const auto filter = core::read_filter(query);
  if (!parameters) {
    SWITCHYARD_ASSERT(!filter);
    return;
  }
  const auto otherwise = written_otherwise(*parameters);
  const auto again = http::parse_query(otherwise);
  SWITCHYARD_ASSERT(again && std::ranges::equal(*again, *parameters, [](const auto& left, const auto& right) {
                      return left.name == right.name && left.value == right.value;
                    }));

  const auto filter_again = core::read_filter(otherwise);
  SWITCHYARD_ASSERT(filter.has_value() == filter_again.has_value());
  if (!filter) {
    SWITCHYARD_ASSERT(filter.error().status >= 400 && filter.error().status < 500);
    SWITCHYARD_ASSERT(!contains_card_number(filter.error().body));
    return;
  }
  SWITCHYARD_ASSERT(filter->status == filter_again->status && filter->currency == filter_again->currency &&
                    filter->limit == filter_again->limit && filter->before == filter_again->before);
  SWITCHYARD_ASSERT(filter->reference == filter_again->reference &&
                    filter->created_from == filter_again->created_from &&
                    filter->created_to == filter_again->created_to);
  SWITCHYARD_ASSERT(filter->limit <= 100);
  // Nothing that was given is left out: a filter that is misspelt would list everything.
  for (const auto& parameter : *parameters) check_is_in_filter(*filter, parameter);
}

}  // namespace

// One line each: a key, an id, a query.
void check(Input input) {
  check_key(input.line());
  check_id(input.line());
  check_query(input.rest());
}

}  // namespace switchyard::fuzz
