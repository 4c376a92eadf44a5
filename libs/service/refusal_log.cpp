#include "service/refusal_log.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include "base/hex.hpp"
#include "base/id.hpp"

namespace switchyard::service {
namespace {

constexpr std::size_t key_bytes = 32;
constexpr std::size_t hash_bytes_shown = 8;

bool is_refusal(unsigned status) {
  return status == 401 || status == 403 || status == 429;
}

// Of a problem document: fixed words of ours.
std::string reason_of(const http::Response& response) {
  boost::json::error_code failed;
  const auto body = boost::json::parse(response.body, failed);
  const auto* object = failed ? nullptr : body.if_object();
  const auto* error = object == nullptr ? nullptr : object->if_contains("error");
  if (error == nullptr || !error->is_string()) return std::string(http::reason_phrase(response.status));
  return std::string(error->get_string());
}

}  // namespace

RefusalLog::RefusalLog(Log& log) : log_(log), hmac_(random_hex(key_bytes)), lines_(log, "refused requests") {}

void RefusalLog::add(const http::Request& request, const http::Response& response, std::string_view name,
                     Instant now) {
  if (!is_refusal(response.status) || !log_.enabled(LogLevel::warning)) return;
  if (!lines_.take(now)) return;
  const auto reason = reason_of(response);
  const auto address = request.remote_address.to_string();
  const auto merchant =
      request.merchant.empty() ? std::string_view("unknown") : std::string_view(request.merchant);
  const auto hash = name.empty() ? std::string("none") : hash_of(name);
  log_.warning(fmt::format("Refused with {}: {}; address {}, request {}, merchant {}, hash of the name {}",
                           response.status, reason, address, request.request_id, merchant, hash),
               {{"status", static_cast<std::int64_t>(response.status)},
                {"reason", reason},
                {"address", address},
                {"request_id", request.request_id},
                {"merchant", merchant},
                {"name_hash", hash}});
}

std::string RefusalLog::hash_of(std::string_view name) const {
  return to_hex(hmac_.sign(name)).substr(0, 2 * hash_bytes_shown);
}

}  // namespace switchyard::service
