// What a PSP is told an operation is called.
//
// Where the merchant sent an idempotency key, the names come from that key: a merchant who sends again after
// the store was restored from an old backup then asks for the same operation, and the PSP does it once.
// Without one they come from the transaction's id. The merchant is part of every name: two merchants with one
// id, or one key, would otherwise be one charge.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "payment/operation.hpp"

namespace switchyard::payment {

// 32 hexadecimal digits. `installation`: random, made with the store and carried by every copy of it.
std::string derived_key(std::string_view installation, MerchantId merchant, std::string_view merchants_key,
                        Kind kind);

// "<merchant>-<reference>-<number>"
std::string numbered_key(const Transaction& transaction, std::int32_t number);

// Whether a PSP that keeps a key for `held_for` would do the operation once, were its request sent again.
enum class KeyHold : std::uint8_t {
  holds,
  ended,
  unclear,  // by this clock the operation is not sent yet: somebody's clock is wrong
};
KeyHold hold_of_key(const Operation& operation, std::chrono::minutes held_for, Timestamp now);

// Whether the very bytes that were sent can go out again, and the PSP would do it once.
bool may_be_resent(const Operation& operation, std::chrono::minutes held_for, Timestamp now);

}  // namespace switchyard::payment
