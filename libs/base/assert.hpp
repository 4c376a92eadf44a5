// Assertions that stay on in release: a broken invariant of a payment must stop the process, not continue.
#pragma once

namespace switchyard {

// Prints the broken invariant with its place to standard error and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace switchyard

#define SWITCHYARD_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : ::switchyard::assertion_failed(#expression, __FILE__, __LINE__))
