#include "psp-simulator/adyen/errors.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "psp-simulator/dialect/names.hpp"

namespace switchyard::psp_simulator::adyen {
namespace {

struct ErrorRow {
  std::string_view code;
  unsigned status;
  std::string_view type;
  std::string_view message;
};

constexpr auto errors = std::to_array<ErrorRow>({
    {"000", 401, "security", "HTTP Status Response - Unauthorized"},
    {"100", 422, "validation", "No amount specified"},
    {"101", 422, "validation", "Invalid card number"},
    {"103", 422, "validation", "CVC is not the right length"},
    {"130", 422, "validation", "Reference Missing"},
    {"137", 422, "validation", "Invalid amount specified"},
    {"138", 422, "validation", "Unsupported currency specified"},
    {"14_030", 422, "validation", "Return URL is missing."},
    {"14_004", 422, "validation", "Missing payment method details"},
    {"167", 422, "validation", "Original pspReference required for this operation"},
    {"702", 400, "validation", "The request cannot be parsed"},
    {"703", 503, "internal", "A resource is temporarily unavailable"},
    {"704", 422, "validation", "request already processed or in progress"},
    {"901", 403, "security", "Invalid Merchant Account"},
    {"905", 500, "configuration", "Payment details are not supported"},
});

Reply reply_of(const ErrorRow& row) {
  return {.status = row.status,
          .body = fmt::format(
              R"({{"status":{},"errorCode":"{}","message":"{}","errorType":"{}","pspReference":"{}"}})",
              row.status, row.code, row.message, row.type, new_name("", 16, capitals_and_digits))};
}

}  // namespace

Reply error(std::string_view code) {
  const auto* const row = std::ranges::find(errors, code, &ErrorRow::code);
  SWITCHYARD_ASSERT(row != errors.end());
  return reply_of(*row);
}

Reply too_many_requests() {
  return reply_of({"000", 429, "validation", "Too many requests"});
}

}  // namespace switchyard::psp_simulator::adyen
