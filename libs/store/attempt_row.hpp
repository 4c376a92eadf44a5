// The rows that both databases read Attempts from.
#pragma once

#include "store/attempts.hpp"
#include "store/columns.hpp"

namespace switchyard::store {

// What a row of id, amount_minor, currency, created_at, metadata, and the first operation's psp, phase and
// reason_kind holds.
template <class Row>
Readable<Attempt> get_attempt(const Row& row) {
  std::optional<Currency> currency;
  auto phase = payment::Phase::requested;
  auto reason_kind = payment::ReasonKind::none;
  ReadKnown<Row> read{row};
  const auto read_column = [&read](int column, auto& to) {
    read.column = column;
    read.read(to);
  };
  read_column(2, currency);
  read_column(6, phase);
  read_column(7, reason_kind);
  if (!read.unknown.empty()) return std::unexpected(std::move(read.unknown));
  return Attempt{.id = {row.uuid(0)},
                 .amount = Money(row.integer(1), *currency),
                 .created_at = row.time(3),
                 .metadata = std::string(row.text(4)),
                 .psp = std::string(row.text(5)),
                 .phase = phase,
                 .reason_kind = reason_kind};
}

// Fills a page. All that is given must outlive it.
class AttemptReader {
 public:
  AttemptReader(AttemptPage& page, std::size_t limit, MerchantId merchant, SetAside& set_aside)
      : page_(page), limit_(limit), merchant_(merchant), set_aside_(set_aside) {}

  // False if the page is full: this row begins the next one.
  template <class Row>
  bool read(const Row& row) {
    const TransactionId id{row.uuid(0)};
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
