// The rows that both databases read Attempts from.
#pragma once

#include "store/attempts.hpp"
#include "store/columns.hpp"

namespace switchyard::store {

// What a row of currency, id, amount_minor, created_at, metadata, payment_method, and the first operation's
// psp, phase and reason_kind holds.
template <class Row>
Readable<Attempt> get_attempt(const Row& row) {
  ReadKnown<Row> known{row};
  std::optional<Currency> currency;
  known("currency", currency);
  if (!currency) return std::unexpected(std::move(known.unknown));
  Attempt attempt{.id = {}, .amount = Money(0, *currency)};
  known("id", attempt.id);
  known("amount_minor", attempt.amount);
  known("created_at", attempt.created_at);
  known("metadata", attempt.metadata);
  known("payment_method", attempt.payment_method);
  known("psp", attempt.psp);
  known("phase", attempt.phase);
  known("reason_kind", attempt.reason_kind);
  if (!known.unknown.empty()) return std::unexpected(std::move(known.unknown));
  return attempt;
}

// Where the columns of the attempt begin, in the rows below.
inline constexpr int first_of_recent_attempt = 3;

// Fills a page. All that is given must outlive it.
class AttemptReader {
 public:
  AttemptReader(AttemptPage& page, std::size_t limit, SetAside& set_aside)
      : page_(page), limit_(limit), set_aside_(set_aside) {}

  // False if the page is full: this row begins the next one.
  template <class Row>
  bool read(const Row& row) {
    const TransactionId id{row.uuid(1)};
    if (rows_++ == limit_) {
      page_.next = id;
      return false;
    }
    auto attempt = get_attempt(row);
    if (attempt) {
      page_.items.push_back(std::move(*attempt));
    } else {
      ++page_.unreadable;
      set_aside_.note(id, attempt.error());
    }
    return true;
  }

 private:
  AttemptPage& page_;
  const std::size_t limit_;
  SetAside& set_aside_;
  std::size_t rows_ = 0;
};

// What a row of a payment's id and merchant, whether it has an attempt, and that one's psp, phase,
// reason_code, reason, reason_kind and time holds.
template <class Row>
Readable<RecentAttempt> get_recent_attempt(const Row& row) {
  ReadKnown<Row> known{row};
  RecentAttempt attempt{.payment = {}};
  known("id", attempt.payment);
  known.column = first_of_recent_attempt;
  known("psp", attempt.psp);
  known("phase", attempt.phase);
  known("reason_code", attempt.reason.code);
  known("reason", attempt.reason.message);
  known("reason_kind", attempt.reason.kind);
  known("at", attempt.at);
  if (!known.unknown.empty()) return std::unexpected(std::move(known.unknown));
  return attempt;
}

// Adds a row; rows of one payment stand together.
template <class Row>
void add_recent_attempt(const Row& row, RecentAttempts& all, SetAside& set_aside) {
  const TransactionId id{row.uuid(0)};
  if (all.oldest != id) ++all.payments;
  all.oldest = id;
  if (!row.boolean(2)) return;
  auto attempt = get_recent_attempt(row);
  if (attempt) {
    all.items.push_back(std::move(*attempt));
  } else {
    ++all.unreadable;
    set_aside.note(id, attempt.error());
  }
}

}  // namespace switchyard::store
