// How the accounts at PSPs fared lately, by what is stored. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "store/attempts.hpp"

namespace switchyard::cli {

// Of authorizations, by what became of them; each is in one of the five.
struct PspRates {
  std::int64_t succeeded = 0;
  std::int64_t declined = 0;
  // Sent, and nobody knows what the PSP says: also where a person decides.
  std::int64_t unknown = 0;
  // Never reached the PSP, or it does not take what it is sent.
  std::int64_t failed = 0;
  // Under way, and not known to be in trouble.
  std::int64_t open = 0;

  struct LastError {
    Timestamp at{};
    // "unknown: no answer in time"
    std::string text;
  };
  // The latest of what is unknown or failed.
  std::optional<LastError> last_error{};

  std::int64_t attempts() const { return succeeded + declined + unknown + failed + open; }
};

// By the names of the accounts.
using RatesByPsp = std::map<std::string, PspRates, std::less<>>;

RatesByPsp rates_of(const store::RecentAttempts& recent);

// "99.9%"; "-" of nothing. Only all are 100%, and only none are 0%.
std::string percent_text(std::int64_t part, std::int64_t whole);

}  // namespace switchyard::cli
