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

// Fills a page. All that is given must outlive it.
class AttemptReader {
 public:
  AttemptReader(AttemptPage& page, std::size_t limit, MerchantId merchant, SetAside& set_aside)
      : page_(page), limit_(limit), merchant_(merchant), set_aside_(set_aside) {}

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
      set_aside_.note(merchant_, id, attempt.error());
    }
    return true;
  }

 private:
  AttemptPage& page_;
  const std::size_t limit_;
  const MerchantId merchant_;
  SetAside& set_aside_;
  std::size_t rows_ = 0;
};

}  // namespace switchyard::store
