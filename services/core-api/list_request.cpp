#include "core-api/list_request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "core-api/rfc3339.hpp"
#include "core-api/text_member.hpp"
#include "http/problem.hpp"
#include "money/card_number.hpp"
#include "service/request_body.hpp"

namespace switchyard::core {
namespace {

constexpr std::size_t page_limit_default = 50;
constexpr std::size_t page_limit_max = 100;

using Wrong = std::optional<http::Response>;

// The value of one parameter, into the filter; nothing if it was understood.
using Read = Wrong (*)(store::TransactionFilter& filter, std::string_view value);

Wrong refuse_filter(std::string_view error, std::string_view detail) {
  return http::problem(422, error, detail);
}

Wrong read_status(store::TransactionFilter& filter, std::string_view value) {
  const auto status = payment::parse_status(value);
  if (!status) return refuse_filter("Invalid status", "status must be a transaction status such as captured");
  if (filter.status && *filter.status != *status) filter.limit = 0;
  filter.status = status;
  return std::nullopt;
}

Wrong read_attention(store::TransactionFilter& filter, std::string_view value) {
  if (value != "true") {
    return refuse_filter("Invalid attention",
                         "attention must be true, for what a person must look at; leave it out for all");
  }
  return read_status(filter, payment::to_string(payment::Status::manual_review));
}

Wrong read_currency_filter(store::TransactionFilter& filter, std::string_view value) {
  filter.currency = Currency::parse_stored(value);
  if (filter.currency) return std::nullopt;
  return refuse_filter("Invalid currency code", "currency must be an ISO 4217 code such as USD");
}

Wrong read_reference(store::TransactionFilter& filter, std::string_view value) {
  constexpr TextBounds bounds{.least = 1, .most = reference_characters_max};
  if (contains_card_number(value)) {
    return refuse_filter("Card number not allowed",
                         "reference looks like a card number; card numbers must never be sent here");
  }
  if (const auto why = why_unfit(value, bounds); !why.empty()) {
    return refuse_filter("Invalid reference", fmt::format("reference must be {}: {}", describe(bounds), why));
  }
  filter.reference = value;
  return std::nullopt;
}

Wrong read_time(std::optional<Timestamp>& time, std::string_view name, std::string_view value) {
  time = parse_time(value);
  if (time) return std::nullopt;
  return refuse_filter(
      fmt::format("Invalid {}", name),
      fmt::format("{} must be a time of RFC 3339 with its zone, such as 2026-01-31T08:00:00Z "
                  "or 2026-01-31T09:00:00%2B01:00 (a + in a query is written %2B)",
                  name));
}

Wrong read_limit(store::TransactionFilter& filter, std::string_view value) {
  const bool nothing_fits = filter.limit == 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), filter.limit);
  const bool whole = error == std::errc() && end == value.data() + value.size();
  if (!whole || filter.limit < 1 || filter.limit > page_limit_max) {
    return refuse_filter("Invalid limit", "limit must be a whole number from 1 to 100");
  }
  if (nothing_fits) filter.limit = 0;
  return std::nullopt;
}

Wrong read_cursor(store::TransactionFilter& filter, std::string_view value) {
  const auto uuid = Uuid::parse(value);
  if (!uuid) return refuse_filter("Invalid cursor", "cursor must be a next_cursor of this list");
  filter.before = TransactionId{*uuid};
  return std::nullopt;
}

struct Parameter {
  std::string_view name;
  Read read;
};
constexpr std::array<Parameter, 8> parameters_known{{
    {"status", read_status},
    {"currency", read_currency_filter},
    {"limit", read_limit},
    {"cursor", read_cursor},
    {"reference", read_reference},
    {"created_from",
     [](store::TransactionFilter& filter, std::string_view value) {
       return read_time(filter.created_from, "created_from", value);
     }},
    {"created_to", [](store::TransactionFilter& filter,
                      std::string_view value) { return read_time(filter.created_to, "created_to", value); }},
    {"attention", read_attention},
}};

constexpr auto names_known = [] {
  std::array<std::string_view, parameters_known.size()> names;
  std::ranges::transform(parameters_known, names.begin(), &Parameter::name);
  return names;
}();

}  // namespace

std::expected<store::TransactionFilter, http::Response> read_filter(std::string_view query) {
  const auto parameters = service::read_query(query, names_known);
  if (!parameters) return std::unexpected(parameters.error());
  store::TransactionFilter filter;
  filter.limit = page_limit_default;
  for (const auto& [name, value] : *parameters) {
    const auto known = std::ranges::find(parameters_known, name, &Parameter::name);
    if (auto wrong = known->read(filter, value)) return std::unexpected(std::move(*wrong));
  }
  return filter;
}

}  // namespace switchyard::core
