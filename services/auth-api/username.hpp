// Which names users may have: RFC 8265, 3.4, UsernameCasePreserved, so that no two names look the same.
//
// Well-formed UTF-8 of 1 to 256 bytes in Unicode normal form C. Letters, marks and digits of any script, the
// visible ASCII characters, and single blanks (U+0020) between others. Nothing else: no control characters,
// nothing invisible (zero width, bidirectional controls, whatever is ignored by default), no symbols, no
// other blanks, no compatibility variants (full width, ligatures), nothing that Unicode has not assigned.
// A name does not begin with a mark, does not mix the two sets of Arabic digits, and if it holds letters that
// are written from right to left it keeps the rule for those (RFC 5893, 2). As tables are those of the
// utf8proc that is installed, a newer one takes more letters.
//
// Safe to use from any thread.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::auth {

// What is wrong with the name, such as "is not UTF-8", with what would be right; empty if nothing is.
std::string username_problem(std::string_view name);

}  // namespace switchyard::auth
