#include "core-api/create_request.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/ascii.hpp"
#include "core-api/payment_method.hpp"
#include "core-api/text_member.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/structured_field.hpp"
#include "money/card_number.hpp"
#include "payment/fingerprint.hpp"
#include "service/request_body.hpp"

namespace switchyard::core {
namespace {

namespace json = boost::json;

constexpr std::size_t idempotency_key_bytes_max = 255;

std::unexpected<http::Response> refuse(std::string_view error, std::string_view detail) {
  return std::unexpected(http::problem(422, error, detail));
}

std::unexpected<http::Response> refuse_key(std::string_view wrong) {
  return std::unexpected(http::problem(400, "Invalid idempotency key",
                                       fmt::format("Idempotency-Key must be one value of 1 to {} printable "
                                                   "ASCII characters: {}",
                                                   idempotency_key_bytes_max, wrong)));
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

std::string_view text_of(const json::value& value) {
  const auto* text = value.if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

// A whole number beyond 64 bits, which was read as a floating-point number, and in a text is digits.
bool is_too_large(const json::value& value) {
  if (value.is_uint64()) return true;
  if (const auto* number = value.if_double()) return *number >= 9.2e18;
  const auto text = text_of(value);
  return text.size() > 18 && text.front() != '0' && is_digits(text);
}

// Beyond 64 bits or in a text, likewise.
bool is_negative(const json::value& value) {
  if (const auto* number = value.if_double()) return *number <= -9.2e18;
  const auto text = text_of(value);
  return text.starts_with('-') && is_digits(text.substr(1)) && (text[1] != '0' || text.size() == 2);
}

std::expected<Currency, http::Response> read_currency(const json::object& body) {
  const auto* value = body.if_contains("currency");
  const auto text = service::text_member(body, "currency");
  if (value == nullptr || value->is_null() || (text && service::is_blank(*text))) {
    return refuse("Currency is blank", "currency must be an ISO 4217 code such as USD");
  }
  const auto currency = text ? Currency::parse(*text) : std::nullopt;
  if (!currency) {
    return refuse("Invalid currency code",
                  "currency must be the three capital letters of an ISO 4217 code such as USD");
  }
  return *currency;
}

void append_canonical(std::string& out, const json::value& value) {
  if (const auto* object = value.if_object()) {
    std::vector<const json::key_value_pair*> members;
    for (const auto& member : *object) members.push_back(&member);
    std::ranges::sort(members, {}, [](const auto* member) {
      return std::string_view(member->key().data(), member->key().size());
    });
    out += '{';
    for (const auto* member : members) {
      out += json::serialize(member->key());
      out += ':';
      append_canonical(out, member->value());
      out += ',';
    }
    out += '}';
  } else if (const auto* array = value.if_array()) {
    out += '[';
    for (const auto& item : *array) {
      append_canonical(out, item);
      out += ',';
    }
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

std::string canonical(const json::object& body) {
  json::object without_token(body);
  without_token.erase("token");
  // "100" and 100 are the same amount.
  if (auto* amount = without_token.if_contains("amount"); amount != nullptr && amount->is_int64()) {
    *amount = fmt::format("{}", amount->get_int64());
  }
  std::string text;
  append_canonical(text, without_token);
  return text;
}

std::expected<payment::CaptureMethod, http::Response> read_capture_method(const json::object& body) {
  const auto* value = body.if_contains("capture");
  if (value == nullptr) return payment::CaptureMethod::automatic;
  const auto method = payment::parse_capture_method(text_of(*value));
  if (method) return *method;
  return refuse("Invalid capture", "capture must be automatic, which is the default, or manual");
}

// The merchant's own: nothing depends on it.
std::expected<void, http::Response> read_merchants_own(NewTransaction& wanted, const json::object& body) {
  auto reference = read_text(body, "reference", {.least = 1, .most = reference_characters_max});
  if (!reference) return std::unexpected(std::move(reference.error()));
  auto description = read_text(body, "description", {.least = 0, .most = text_characters_max});
  if (!description) return std::unexpected(std::move(description.error()));
  auto metadata = read_metadata(body);
  if (!metadata) return std::unexpected(std::move(metadata.error()));
  wanted.reference = std::move(*reference);
  wanted.description = std::move(*description);
  wanted.metadata = std::move(*metadata);
  return {};
}

}  // namespace

std::expected<std::int64_t, http::Response> read_amount(const json::object& body, std::int64_t amount_max) {
  constexpr std::string_view whole =
      "amount must be a whole number of the currency's minor units, such as 100 for one dollar";
  const auto* value = body.if_contains("amount");
  if (value == nullptr || value->is_null()) return refuse("Amount is blank", whole);
  std::int64_t amount = 0;
  // What was understood deserves the answer that says so.
  if (is_too_large(*value))
    return refuse("Amount is too large", fmt::format("amount must be at most {}", amount_max));
  if (is_negative(*value)) return refuse("Amount must be positive", "amount must be greater than zero");
  if (value->is_int64()) {
    amount = value->get_int64();
  } else if (value->is_string()) {
    const auto text = text_of(*value);
    if (service::is_blank(text)) return refuse("Amount is blank", whole);
    const auto parsed = parse_amount_minor(text);
    if (!parsed) return refuse("Invalid amount", fmt::format("amount {}; {}", parsed.error().detail, whole));
    amount = *parsed;
  } else {
    return refuse("Invalid amount", whole);
  }
  if (amount <= 0) return refuse("Amount must be positive", "amount must be greater than zero");
  if (amount > amount_max)
    return refuse("Amount is too large", fmt::format("amount must be at most {}", amount_max));
  return amount;
}

std::expected<Money, http::Response> read_money(const json::object& body, std::int64_t amount_max) {
  const auto amount = read_amount(body, amount_max);
  if (!amount) return std::unexpected(amount.error());
  const auto currency = read_currency(body);
  if (!currency) return std::unexpected(currency.error());
  return Money(*amount, *currency);
}

std::expected<NewTransaction, http::Response> read_new_transaction(const json::object& body,
                                                                   std::string_view query,
                                                                   std::int64_t amount_max) {
  static constexpr std::string_view members[] = {"amount",   "currency",       "token",
                                                 "capture",  "reference",      "description",
                                                 "metadata", "payment_method", "return_url"};
  const auto money = read_money(body, amount_max);
  if (!money) return std::unexpected(money.error());
  if (auto known = service::refuse_unknown_members(body, members); !known)
    return std::unexpected(std::move(known.error()));
  NewTransaction wanted{.amount = *money};
  const auto method = read_capture_method(body);
  if (!method) return std::unexpected(method.error());
  wanted.capture_method = *method;
  if (auto read = read_merchants_own(wanted, body); !read) return std::unexpected(std::move(read.error()));
  auto payment_method = read_payment_method(body);
  if (!payment_method) return std::unexpected(std::move(payment_method.error()));
  wanted.payment_method = std::move(*payment_method);
  auto return_url = read_return_url(body);
  if (!return_url) return std::unexpected(std::move(return_url.error()));
  wanted.return_url = std::move(*return_url);
  if (auto none = service::read_query(query, {}); !none) return std::unexpected(std::move(none.error()));
  return wanted;
}

std::expected<void, http::Response> refuse_card_numbers(const json::object& body) {
  bool found = false;
  const auto look = [&found](std::string_view text) { found = found || contains_card_number(text); };
  for (const auto& member : body) {
    look({member.key().data(), member.key().size()});
    http::for_each_text(member.value(), look);
  }
  if (!found) return {};
  return refuse("Card number not allowed",
                "the request holds what looks like a card number; card numbers must never be sent here");
}

std::expected<RequestKey, http::Response> read_idempotency_key(const http::Request& request) {
  const auto count = request.headers.count("Idempotency-Key");
  if (count == 0) return {};
  if (count > 1) return refuse_key("there is more than one; send one");
  const auto field = request.header("Idempotency-Key");
  RequestKey read{.key = std::string(field), .former = {}};
  if (field.starts_with('"')) {
    auto text = http::parse_string_item(field);
    if (!text) {
      return refuse_key(
          fmt::format("{}; a value that begins with a quote is a string of RFC 9651", text.error()));
    }
    read.key = std::move(*text);
    read.former = field.ends_with('"') ? field.substr(1, field.size() - 2) : field;
    if (read.former == read.key || read.former.size() > idempotency_key_bytes_max) read.former.clear();
  }
  if (service::is_blank(read.key)) return refuse_key("it is blank");
  if (read.key.size() > idempotency_key_bytes_max)
    return refuse_key(fmt::format("it is longer than {} characters", idempotency_key_bytes_max));
  if (!std::ranges::all_of(read.key, is_printable_ascii))
    return refuse_key("a character is not printable ASCII");
  if (contains_card_number(field) || (!read.former.empty() && contains_card_number(read.key))) {
    return refuse("Card number not allowed",
                  "the idempotency key looks like a card number; take a random one");
  }
  return read;
}

std::string fingerprint_of(const json::object& body) {
  return payment::fingerprint(canonical(body));
}

std::string fingerprint_of(payment::Kind kind, TransactionId id, const json::object& body) {
  return payment::fingerprint(
      fmt::format("{}\n{}\n{}", payment::to_string(kind), id.value.to_string(), canonical(body)));
}

}  // namespace switchyard::core
