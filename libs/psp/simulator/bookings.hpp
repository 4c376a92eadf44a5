// Booking something new as a behaviour says, in rows of the ledger. For the thread of the database.
#pragma once

#include "psp/simulator/book.hpp"
#include "psp/simulator/ledger_rows.hpp"

namespace switchyard::psp::simulator {

// Whether the behaviour books nothing for the request with this key, which is new.
bool books_nothing(LedgerRows& rows, Charging charging, std::string_view key);

// Both give it as it is booked. The behaviour books something.
Charge book_new(LedgerRows& rows, Charge charge, const Behaviour& behaviour, Timestamp now);
// Declined with the code of why_refused if the charge does not allow it.
Operation book_new(LedgerRows& rows, Charge charge, Operation wanted, const Behaviour& behaviour,
                   Timestamp now);

}  // namespace switchyard::psp::simulator
