// Payments as routing sees them, for who looks at very many: what an account was chosen by, which one it was,
// and what came of it there. Nothing else of a row is read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "money/money.hpp"
#include "payment/operation.hpp"

namespace switchyard::store {

struct Attempt {
  TransactionId id;
  Money amount;
  Timestamp created_at{};
  std::string metadata{};
  std::string payment_method{};
  // Of the first authorization. The account is empty where nothing was sent yet.
  std::string psp{};
  payment::Phase phase = payment::Phase::requested;
  payment::ReasonKind reason_kind = payment::ReasonKind::none;
};

// Of one merchant, by their ids, which are in the order of time; both ends are included.
struct AttemptRange {
  MerchantId merchant;
  TransactionId first;
  TransactionId last;
};

struct AttemptPage {
  // Oldest first.
  std::vector<Attempt> items;
  // Rows that cannot be read, which are left out.
  std::int64_t unreadable = 0;
  // Where the next page begins; nothing at the end of the range.
  std::optional<TransactionId> next{};
};

// An authorization, one of perhaps several of its payment, as somebody sees it who looks at the PSPs.
struct RecentAttempt {
  TransactionId payment;
  // The account; one that was chosen, whether or not anything has been sent there yet.
  std::string psp{};
  payment::Phase phase = payment::Phase::requested;
  payment::Reason reason{};
  // When its outcome was known, else when it was sent or asked for.
  Timestamp at{};
};

// Of the newest payments of all merchants.
struct RecentAttempts {
  // Of the newest payment first.
  std::vector<RecentAttempt> items;
  // Looked at, with those that nothing was sent for yet.
  std::size_t payments = 0;
  // The oldest one that was looked at.
  std::optional<TransactionId> oldest{};
  // Rows that cannot be read, which are left out.
  std::int64_t unreadable = 0;
};

}  // namespace switchyard::store
