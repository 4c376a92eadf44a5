// Whether a merchant may ask for an operation, and the operation if so. Pure.
//
// What is open counts as taken, whatever becomes of it: so captured <= authorized and refunded <= captured
// hold under any concurrency, if the state is locked from the read to the write.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "payment/operation.hpp"

namespace switchyard::payment {

// A transaction has no more operations than this, however they ended. The last ones are kept for what gives
// back all that is left: a void, or a refund of the whole.
inline constexpr std::size_t operations_max = 1'000;
inline constexpr std::size_t operations_kept = 20;

struct Request {
  Kind kind = Kind::refund;
  // In minor units, above zero; empty: all that is left. A void takes no amount.
  std::optional<std::int64_t> amount_minor;
  // Of a capture: release what is left of the hold.
  bool is_final = true;
  // What the PSP is told, derived from the merchant's key; empty: from the transaction's.
  std::string psp_key;
  std::string reference;
  std::string note;
};

struct Refusal {
  enum class Why {
    over_what_is_left,  // 422; what is under way is counted
    wrong_state,        // 409
    too_many,           // 409; operations_max
  };
  Why why = Why::wrong_state;
  Status status = Status::queued;
  // Of over_what_is_left, in minor units.
  std::int64_t left_minor = 0;
  // What is wrong and what would be right, for people.
  std::string detail;
};

// The state with the operation at its end, due at once if nothing else of the transaction is under way.
std::expected<State, Refusal> request(State state, const Request& wanted, Timestamp now);

}  // namespace switchyard::payment
