// For clang-tidy only, included before everything else: makes std::expected [[nodiscard]] as a type, which
// the standard library of g++ 12 does not. So the compiler also warns about a result that was awaited and
// then dropped, as in `co_await store.insert(...);`. (An attribute of the first declaration holds for the
// later ones.)
#pragma once

#include <version>

namespace std {
template <class Value, class Error>
class [[nodiscard]] expected;
}
