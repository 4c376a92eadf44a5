// A transaction: what a merchant wants paid, with what has become of the money. Plain data; what is asked of
// a PSP for it stands in operation.hpp, what may happen to it in state_machine.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "money/money.hpp"

namespace switchyard::payment {

// Derived from totals and operations by status_of(), and stored so that lists can be filtered by it.
enum class Status : std::uint8_t {
  queued,              // accepted, on disk, nothing sent yet
  processing,          // an operation is under way, or will be
  action_required,     // the customer must act before the PSP goes on
  authorized,          // the issuer holds the money (manual capture)
  captured,            // the money is taken
  voided,              // the hold was given back
  partially_refunded,  // part of the captured money was returned
  refunded,            // all of it was
  declined,            // the issuer or the PSP said no
  failed,              // never reached a PSP, refused by it for good, or a foreign worker says so
  unknown,             // sent, and the answer did not arrive or cannot be read
  manual_review,       // a person decides
};

std::string_view to_string(Status status);
std::optional<Status> parse_status(std::string_view text);

// Whether a worker has still something to do; such a transaction has a next action.
bool is_open(Status status);

enum class CaptureMethod : std::uint8_t { automatic, manual };

std::string_view to_string(CaptureMethod method);
std::optional<CaptureMethod> parse_capture_method(std::string_view text);

struct Transaction {
  TransactionId id;
  MerchantId merchant_id;
  Money amount;
  CaptureMethod capture_method = CaptureMethod::automatic;
  Status status = Status::queued;

  // In minor units of amount's currency. What the PSP did in the end:
  // 0 <= refunded <= captured <= authorized <= amount, always.
  std::int64_t authorized_minor = 0;
  std::int64_t captured_minor = 0;
  std::int64_t refunded_minor = 0;
  // Of what is authorized, what can still be captured: captured + held <= authorized.
  std::int64_t held_minor = 0;

  // Raised each time that somebody takes the transaction under lock: a worker, or a merchant who asks for an
  // operation. What is committed later without the lock is compared with it.
  std::int64_t version = 0;
  std::int32_t operation_count = 0;

  // When a worker must look at it: the first of its operations' due_at. Empty when nothing is due.
  std::optional<Timestamp> next_action_at{};

  // Why it was declined or failed, as the PSP said it (an ISO 8583 response code or a reason word).
  std::string reason{};

  // What a PSP knows it by, where that is derived from the merchant's key (psp_keys.hpp); empty: by its id.
  std::string derived_reference{};

  // The merchant's own: an order number, a text, an object of strings as JSON. Empty where not given.
  std::string reference{};
  std::string description{};
  std::string metadata{};
  // What the customer pays with, by adapter: a JSON object such as {"stripe":"pm_1"}, never a card number;
  // and where the customer comes back to. Empty where not given.
  std::string payment_method{};
  std::string return_url{};

  Timestamp created_at{};
  Timestamp updated_at{};
};

// Ours, as the PSP stores it with its charge.
std::string psp_reference(const Transaction& transaction);

}  // namespace switchyard::payment
