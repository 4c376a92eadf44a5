// One line in the log, at warning, for each request that was refused because of who sent it: failed logins
// and lock-outs, refused tokens, 403 and 429 (OWASP ASVS 5.0, 16.3).
//
// It says status, reason, the client's address, the request's id and, where a genuine token named it, the
// merchant. No path, token or name stands in it, as people type passwords and card numbers into wrong fields:
// of a name it says a hash under a key that only this process knows, by which one sees that lines are about
// the same name. Lines are bounded; what is too much is counted, and said with the next line and at the end.
//
// Safe to use from any thread.
#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"
#include "service/line_budget.hpp"
#include "telemetry/log.hpp"
#include "token/hmac_sha256.hpp"

namespace switchyard::service {

class RefusalLog {
 public:
  using Instant = LineBudget::Instant;

  // The log outlives it.
  explicit RefusalLog(Log& log);

  // Nothing is logged of a response that is no such refusal. `name`: of who wanted to log in, if it is known.
  void add(const http::Request& request, const http::Response& response, std::string_view name, Instant now);

 private:
  std::string hash_of(std::string_view name) const;

  Log& log_;
  const token::HmacSha256 hmac_;
  LineBudget lines_;
};

}  // namespace switchyard::service
