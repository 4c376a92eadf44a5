#include "service/refusal_log.hpp"

#include <utility>

#include <boost/json/parse.hpp>
#include <fmt/format.h>

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

RefusalLog::RefusalLog(Log& log)
    : log_(log),
      hmac_(random_hex(key_bytes)),
      lines_(lines_at_once_max, lines_per_second_max, std::chrono::steady_clock::now()) {}

RefusalLog::~RefusalLog() {
  say_left_out(left_out_);
}

void RefusalLog::add(const http::Request& request, const http::Response& response, std::string_view name,
                     Instant now) {
  if (!is_refusal(response.status) || !log_.enabled(LogLevel::warning)) return;
  const auto turn = take_turn(now);
  if (!turn.may_log) return;
  say_left_out(turn.left_out_before);
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

RefusalLog::Turn RefusalLog::take_turn(Instant now) {
  const std::lock_guard lock(mutex_);
  if (!lines_.take(now)) {
    ++left_out_;
    return {};
  }
  return {true, std::exchange(left_out_, 0)};
}

void RefusalLog::say_left_out(std::uint64_t count) {
  if (count == 0) return;
  log_.warning(fmt::format("{} refused requests are not in the log: there were too many", count),
               {{"left_out", static_cast<std::int64_t>(count)}});
}

std::string RefusalLog::hash_of(std::string_view name) const {
  const auto mac = hmac_.sign(name);
  std::string hex;
  for (std::size_t i = 0; i < hash_bytes_shown; ++i) {
    hex += fmt::format("{:02x}", mac[i]);
  }
  return hex;
}

}  // namespace switchyard::service
