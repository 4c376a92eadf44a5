// The way in from libFuzzer, whose main() this is linked with.
#include <cstdint>

#include "fuzz/input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  switchyard::fuzz::check(switchyard::fuzz::Input({reinterpret_cast<const char*>(bytes), size}));
  return 0;
}
