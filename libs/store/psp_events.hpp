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

// What an account at a PSP calls a payment: Operation::psp and psp_reference of an authorization.
struct PspPayment {
  std::string account;
  std::string psp_reference;
};

// Whose payment it is.
struct Owner {
  MerchantId merchant;
  TransactionId transaction;
};

}  // namespace switchyard::store
