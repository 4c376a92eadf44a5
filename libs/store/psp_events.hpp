// What PSPs have said by themselves, in events of their webhooks: stored once, and worked off afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "payment/notice.hpp"

namespace switchyard::store {

// Known by `account` and `notice.event`.
struct PspEvent {
  std::string account;
  payment::Notice notice;
  Timestamp received_at;
  // When a worker must look at it. Empty: it is over.
  std::optional<Timestamp> due_at{};
  // How often a worker took it.
  std::int32_t tries = 0;
  // What became of it, in words.
  std::string result{};
};
using PspEvents = std::vector<PspEvent>;

// A payment by what an account at a PSP says: Operation::psp of an authorization, and its psp_reference; or
// its idempotency_key, where no psp_reference was ever learned, or it may yet change while the customer acts.
struct PspPayment {
  std::string account;
  std::string psp_reference;
  std::string idempotency_key{};
};

// Whose payment it is.
struct Owner {
  MerchantId merchant;
  TransactionId transaction;
};

}  // namespace switchyard::store
