#include "psp/adyen/report.hpp"

#include <algorithm>
#include <cstddef>

#include <boost/json/value.hpp>

#include "base/ascii.hpp"
#include "http/json.hpp"

namespace switchyard::psp::adyen {
namespace {

constexpr std::size_t url_bytes_max = 4'096;

// What a browser may be sent to, and no more: the merchant will put it into a page.
bool can_be_opened(std::string_view url) {
  return url.size() <= url_bytes_max && (url.starts_with("https://") || url.starts_with("http://")) &&
         std::ranges::all_of(url, is_visible_ascii);
}

// A redirect by POST needs the fields of a form beside the address, and the other actions a program of
// Adyen's in the customer's browser.
std::string redirect_url_in(Members& members) {
  const auto* object = members.object("action");
  if (object == nullptr) return {};
  Members action(*object);
  const auto type = action.text("type");
  const auto method = action.text("method");
  auto url = action.text("url");
  const bool is_by_get = type == "redirect" && (method.empty() || method == "GET");
  return action.are_sound() && is_by_get && can_be_opened(url) ? url : std::string();
}

}  // namespace

std::optional<Report> read_report(std::string_view body) {
  const auto value = http::parse_json(body);
  if (!value || !value->is_object()) return std::nullopt;
  Members members(value->get_object());
  Report report{.psp_reference = members.text("pspReference"),
                .amount = members.amount("amount"),
                .result_code = members.text("resultCode"),
                .merchant_reference = members.text("merchantReference"),
                .refusal_reason = members.text("refusalReason"),
                .refusal_reason_code = members.code("refusalReasonCode"),
                .redirect_url = redirect_url_in(members),
                .status = {},
                .reference = members.text("reference"),
                .merchant_account = members.text("merchantAccount"),
                .payment_psp_reference = members.text("paymentPspReference"),
                .payment_reference = members.text("paymentReference"),
                .error_code = members.code("errorCode"),
                .message = members.text("message")};
  // Of an error it is the HTTP status, a number.
  report.status = members.code("status");
  if (!members.are_sound()) return std::nullopt;
  return report;
}

}  // namespace switchyard::psp::adyen
