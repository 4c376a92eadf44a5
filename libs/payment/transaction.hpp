// A transaction and its attempts, as the store keeps them. Plain data: what may happen to it stands in
// state_machine.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "money/money.hpp"

namespace switchyard::payment {

enum class Status : std::uint8_t {
  queued,              // accepted, on disk, nothing sent yet
  processing,          // an attempt is under way, or the next one is scheduled
  authorized,          // the issuer holds the money (manual capture)
  captured,            // the money is taken
  voided,              // an authorization was given back
  partially_refunded,  // part of the captured money was returned
  refunded,            // all of it was
  declined,            // the issuer or the PSP said no
  failed,              // never reached a PSP and the tries are used up, or a foreign worker says so
  unknown,             // sent, and the answer did not arrive or cannot be read
  manual_review,       // still unknown after all look-ups: a person decides
};

std::string_view to_string(Status status);
std::optional<Status> parse_status(std::string_view text);

// No event changes a transaction in a final status any more; but see settle() of what foreign workers do.
bool is_final(Status status);

enum class CaptureMethod : std::uint8_t { automatic, manual };

std::string_view to_string(CaptureMethod method);
std::optional<CaptureMethod> parse_capture_method(std::string_view text);

struct Transaction {
  TransactionId id;
  MerchantId merchant_id;
  Money amount;
  CaptureMethod capture_method = CaptureMethod::automatic;
  Status status = Status::queued;

  // In minor units of amount's currency; captured <= authorized and refunded <= captured, always.
  std::int64_t authorized_minor = 0;
  std::int64_t captured_minor = 0;
  std::int64_t refunded_minor = 0;

  // Counts the claims: an outcome is accepted only from the holder of the current epoch.
  std::int64_t epoch = 0;
  std::int32_t attempt_count = 0;

  // When a worker must look at it again: due now, retry, look-up or end of a lease. Empty when nothing is
  // due.
  std::optional<Timestamp> next_action_at;

  // Why it was declined or failed, as the PSP said it (an ISO 8583 response code or a reason word).
  std::string reason;

  Timestamp created_at;
  Timestamp updated_at;
};

enum class AttemptStatus : std::uint8_t {
  started,   // the intent is on disk; the PSP may or may not have been called
  approved,  // the PSP took the money or holds it
  declined,  // the PSP said no
  not_sent,  // provably never reached the PSP
  unknown,   // sent, no readable answer
  failed,    // a worker that is not ours says so
};

std::string_view to_string(AttemptStatus status);
std::optional<AttemptStatus> parse_attempt_status(std::string_view text);

// One try at one PSP. While it is unresolved no other attempt may be started.
struct Attempt {
  std::int32_t number = 1;
  std::string psp;

  // Sent to the PSP with each (re)send of this attempt; the PSP makes at most one charge of it.
  std::string idempotency_key;
  // SHA-256 of the request's bytes: a resend must be identical.
  std::string request_fingerprint;

  AttemptStatus status = AttemptStatus::started;
  // How often its outcome was asked for after it became unknown.
  std::int32_t look_ups = 0;
  std::string psp_reference;
  std::string reason;
  Timestamp started_at;
  std::optional<Timestamp> ended_at;
};

bool is_resolved(AttemptStatus status);

}  // namespace switchyard::payment
