// Why a job of a queue outside the store is not stored, in words for whoever enqueued it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "money/money.hpp"

namespace switchyard::rq {

// `user_enabled`: nothing if there is no such user. Empty if the job may be stored.
inline std::string refusal_of_job(bool id_is_anothers, std::optional<bool> user_enabled, Money amount,
                                  std::int64_t amount_max) {
  if (id_is_anothers)
    return "the job's id is that of another merchant's transaction; enqueue it under a new one";
  if (!user_enabled) return "user_id names no user of this store; `switchyard user list` shows them";
  if (!*user_enabled) return "the user is disabled; `switchyard user enable` lets it make transactions again";
  if (!amount.currency().is_current()) {
    return fmt::format("the currency {} was withdrawn; enqueue it in one of today's",
                       amount.currency().code());
  }
  if (amount.minor() > amount_max) {
    return fmt::format("amount is above the limit of {} minor units (MAX_AMOUNT)", amount_max);
  }
  return {};
}

}  // namespace switchyard::rq
