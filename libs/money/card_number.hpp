// Finds payment card numbers (PANs) in text, so that none is stored, logged or sent on (PCI DSS 4.0, 3.5).
//
// A card number is 13 to 19 digits that begin as one of the card schemes' numbers do, have that scheme's
// length and pass the Luhn check (ISO/IEC 7812-1, annex B). It stands as one run or in the groups printed on
// cards (4-4-4-4, 4-4-4-4-3, 4-6-5, 4-6-4) parted by one space or by one hyphen throughout. Digits inside a
// longer run of letters and digits do not count: they are ids, hashes and tokens. About one in ten random
// numbers with a scheme's prefix and length passes Luhn, so a merchant's own 16-digit reference can be hit.
//
// One pass, without allocation where there is no hit; looks at each fourth byte only. Safe to use from any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace switchyard {

bool contains_card_number(std::string_view text);

// A copy of the text in which each card number is replaced by "[card number]".
std::string redact_card_numbers(std::string_view text);

}  // namespace switchyard
