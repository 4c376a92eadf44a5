#include "psp/simulator/bookings.hpp"

#include <utility>

namespace switchyard::psp::simulator {

bool books_nothing(LedgerRows& rows, Charging charging, std::string_view key) {
  return charging == Charging::none ||
         (charging == Charging::none_at_first && rows.is_seen_the_first_time(key));
}

Charge book_new(LedgerRows& rows, Charge charge, const Behaviour& behaviour, Timestamp now) {
  charge.outcome = outcome_of(behaviour, now);
  if (charge.outcome.status == Status::succeeded) book(charge);
  rows.insert(charge, now);
  return charge;
}

Operation book_new(LedgerRows& rows, Charge charge, Operation wanted, const Behaviour& behaviour,
                   Timestamp now) {
  const auto others = rows.operations_of(wanted.reference, wanted.charge_key);
  const auto refused = why_refused(charge, others, wanted);
  wanted.outcome = refused.empty() ? outcome_of(behaviour, now)
                                   : Outcome{.status = Status::declined, .code = std::string(refused)};
  if (wanted.outcome.status == Status::succeeded) {
    book(charge, others, wanted);
    rows.save(charge);
  }
  rows.insert(wanted, now);
  return wanted;
}

}  // namespace switchyard::psp::simulator
