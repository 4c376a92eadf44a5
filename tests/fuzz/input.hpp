// What a fuzz target reads from one input, and the function that each target defines.
//
// Text is taken from the front and numbers from the back, so that a corpus is mostly text that one can read
// and write. An input that has run out gives empty texts and zeros: each input is valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/assert.hpp"

namespace switchyard::fuzz {

class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}

  // Up to the next line break, which is dropped.
  std::string_view line() {
    const auto end = rest_.find('\n');
    const auto taken = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return taken;
  }

  // All that nobody has taken yet.
  std::string_view rest() {
    const auto taken = rest_;
    rest_ = {};
    return taken;
  }

  template <class Number>
  Number number() {
    std::make_unsigned_t<Number> value = 0;
    for (std::size_t i = 0; i < sizeof(Number) && !rest_.empty(); ++i) {
      value =
          static_cast<std::make_unsigned_t<Number>>(value << 8 | static_cast<unsigned char>(rest_.back()));
      rest_.remove_suffix(1);
    }
    return static_cast<Number>(value);
  }

  // From 0 on, below `end`, which is from 1 to 65,536.
  std::size_t below(std::size_t end) { return number<std::uint16_t>() % end; }

 private:
  std::string_view rest_;
};

// Asserts what must hold for this input (SWITCHYARD_ASSERT). Leaves nothing behind that another input would
// see.
void check(Input input);

}  // namespace switchyard::fuzz
