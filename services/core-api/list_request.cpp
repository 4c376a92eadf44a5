#include "core-api/list_request.hpp"

#include <charconv>
#include <optional>

#include "http/problem.hpp"
#include "service/request_body.hpp"

namespace switchyard::core {
namespace {

constexpr std::size_t page_limit_default = 50;
constexpr std::size_t page_limit_max = 100;

// Nothing if it was understood.
std::optional<http::Response> read_parameter(store::TransactionFilter& filter, std::string_view name,
                                             std::string_view value) {
  if (name == "status") {
    filter.status = payment::parse_status(value);
    if (filter.status) return std::nullopt;
    return http::problem(422, "Invalid status", "status must be a transaction status such as captured");
  }
  if (name == "currency") {
    filter.currency = Currency::parse_stored(value);
    if (filter.currency) return std::nullopt;
    return http::problem(422, "Invalid currency code", "currency must be an ISO 4217 code such as USD");
  }
  if (name == "limit") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), filter.limit);
    const bool whole = error == std::errc() && end == value.data() + value.size();
    if (whole && filter.limit >= 1 && filter.limit <= page_limit_max) return std::nullopt;
    return http::problem(422, "Invalid limit", "limit must be a whole number from 1 to 100");
  }
  if (const auto uuid = Uuid::parse(value)) {
    filter.before = TransactionId{*uuid};
    return std::nullopt;
  }
  return http::problem(422, "Invalid cursor", "cursor must be a next_cursor of this list");
}

}  // namespace

std::expected<store::TransactionFilter, http::Response> read_filter(std::string_view query) {
  static constexpr std::string_view known[] = {"status", "currency", "limit", "cursor"};
  const auto parameters = service::read_query(query, known);
  if (!parameters) return std::unexpected(parameters.error());
  store::TransactionFilter filter;
  filter.limit = page_limit_default;
  for (const auto& [name, value] : *parameters) {
    if (auto wrong = read_parameter(filter, name, value)) return std::unexpected(std::move(*wrong));
  }
  return filter;
}

}  // namespace switchyard::core
