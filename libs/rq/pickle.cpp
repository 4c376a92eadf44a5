#include "rq/pickle.hpp"

#include <bit>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"

namespace switchyard::rq {
namespace {

enum class Opcode : std::uint8_t {
  mark = '(',
  stop = '.',
  binfloat = 'G',
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  none = 'N',
  binunicode = 'X',
  empty_list = ']',
  appends = 'e',
  binget = 'h',
  binput = 'q',
  setitem = 's',
  tuple = 't',
  setitems = 'u',
  empty_dict = '}',
  empty_tuple = ')',
  proto = 0x80,
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  newtrue = 0x88,
  newfalse = 0x89,
  long1 = 0x8a,
  short_binunicode = 0x8c,
  memoize = 0x94,
  frame = 0x95,
};

constexpr std::uint8_t protocol_max = 5;

char byte_of(Opcode opcode) {
  return static_cast<char>(opcode);
}

std::unexpected<Error> malformed(std::string detail) {
  return fail(ErrorCode::invalid_argument, std::move(detail));
}

void append_little_endian(std::string& bytes, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
}

}  // namespace

// Pickle's machine: a stack of values, marks into it, a memo. A step that fails leaves its reason in
// `failure_`.
class PickleReader {
 public:
  PickleReader(std::string_view bytes, const PickleLimits& limits) : rest_(bytes), limits_(limits) {}

  Result<Pickled> read() && {
    if (rest_.size() > limits_.bytes_max) return malformed("the pickle is too large");
    while (!stopped_ && failure_.empty()) {
      if (rest_.empty()) {
        give_up("the pickle ends too early");
      } else {
        step(take_byte());
      }
    }
    if (!failure_.empty()) return malformed(std::move(failure_));
    return std::move(pickled_);
  }

 private:
  using Kind = PickledValue::Kind;

  void step(std::uint8_t byte) {
    const auto opcode = static_cast<Opcode>(byte);
    if (step_of_machine(opcode) || step_of_scalar(opcode) || step_of_container(opcode)) return;
    give_up(fmt::format("the pickle has an opcode that jobs do not need: 0x{:02x}", byte));
  }

  // Each of the three returns whether the opcode is one of its own.
  bool step_of_machine(Opcode opcode) {
    using enum Opcode;
    switch (opcode) {
      case proto:
        check_protocol(take(1));
        return true;
      case frame:
        // Only says how far to read ahead.
        take(8);
        return true;
      case mark:
        push_mark();
        return true;
      case stop:
        finish();
        return true;
      case memoize:
        remember(memo_.size());
        return true;
      case binput:
        remember(take_unsigned(1));
        return true;
      case binget:
        recall(take_unsigned(1));
        return true;
      default:
        return false;
    }
  }

  bool step_of_scalar(Opcode opcode) {
    using enum Opcode;
    switch (opcode) {
      case none:
        push({});
        return true;
      case newtrue:
      case newfalse:
        push({.kind = Kind::boolean, .integer = opcode == newtrue, .text = {}, .items = {}});
        return true;
      case binint:
        push_integer(static_cast<std::int32_t>(take_unsigned(4)));
        return true;
      case binint1:
        push_integer(static_cast<std::int64_t>(take_unsigned(1)));
        return true;
      case binint2:
        push_integer(static_cast<std::int64_t>(take_unsigned(2)));
        return true;
      case long1:
        read_long();
        return true;
      case binfloat:
        read_float();
        return true;
      case short_binunicode:
        push_text(take_unsigned(1));
        return true;
      case binunicode:
        push_text(take_unsigned(4));
        return true;
      default:
        return false;
    }
  }

  bool step_of_container(Opcode opcode) {
    using enum Opcode;
    switch (opcode) {
      case empty_tuple:
        push({.kind = Kind::tuple, .text = {}, .items = {}});
        return true;
      case empty_list:
        push({.kind = Kind::list, .text = {}, .items = {}});
        return true;
      case empty_dict:
        push({.kind = Kind::dict, .text = {}, .items = {}});
        return true;
      case tuple:
        if (const auto items = take_marked()) push_tuple(*items);
        return true;
      case tuple1:
      case tuple2:
      case tuple3:
        if (const auto items = take_top(tuple_size(opcode))) push_tuple(*items);
        return true;
      case appends:
        if (const auto items = take_marked()) append_to(Kind::list, *items);
        return true;
      case setitem:
        if (const auto items = take_top(2)) append_to(Kind::dict, *items);
        return true;
      case setitems:
        if (const auto items = take_marked()) append_to(Kind::dict, *items);
        return true;
      default:
        return false;
    }
  }

  static std::size_t tuple_size(Opcode opcode) {
    return static_cast<std::size_t>(opcode) - static_cast<std::size_t>(Opcode::tuple1) + 1;
  }

  void check_protocol(std::string_view version) {
    if (failure_.empty() && static_cast<std::uint8_t>(version[0]) > protocol_max) {
      give_up("the pickle has a newer protocol");
    }
  }

  void push_mark() {
    if (marks_.size() >= limits_.depth_max) return give_up("the pickle is nested too deeply");
    marks_.push_back(stack_.size());
  }

  void give_up(std::string reason) {
    if (failure_.empty()) failure_ = std::move(reason);
  }

  std::uint8_t take_byte() {
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }

  // Empty if there are not so many.
  std::string_view take(std::size_t size) {
    if (rest_.size() < size) {
      give_up("the pickle ends too early");
      rest_ = {};
      return {};
    }
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::uint64_t take_unsigned(std::size_t size) {
    std::uint64_t value = 0;
    const auto bytes = take(size);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
    }
    return value;
  }

  void push(PickledValue value) {
    if (pickled_.values_.size() >= limits_.values_max) return give_up("the pickle holds too many values");
    pickled_.values_.push_back(std::move(value));
    push_index(static_cast<ValueIndex>(pickled_.values_.size() - 1));
  }

  void push_index(ValueIndex index) {
    if (stack_.size() >= limits_.stack_max) return give_up("the pickle stacks too many values");
    stack_.push_back(index);
  }

  void push_integer(std::int64_t value) {
    push({.kind = Kind::integer, .integer = value, .text = {}, .items = {}});
  }

  void push_text(std::uint64_t size) {
    if (!failure_.empty()) return;
    push({.kind = Kind::text, .text = std::string(take(size)), .items = {}});
  }

  void push_tuple(std::vector<ValueIndex> items) {
    push({.kind = Kind::tuple, .text = {}, .items = std::move(items)});
  }

  // Two's complement, lowest byte first; no byte is zero.
  void read_long() {
    const auto bytes = take(take_unsigned(1));
    if (bytes.size() > sizeof(std::int64_t))
      return give_up("the pickle holds an integer of more than 64 bits");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
    }
    const bool negative = !bytes.empty() && (static_cast<std::uint8_t>(bytes.back()) & 0x80) != 0;
    if (negative && bytes.size() < sizeof(value)) value |= ~std::uint64_t{0} << (8 * bytes.size());
    push_integer(static_cast<std::int64_t>(value));
  }

  // IEEE 754, highest byte first.
  void read_float() {
    std::uint64_t bits = 0;
    for (const char byte : take(8)) bits = (bits << 8) | static_cast<std::uint8_t>(byte);
    push({.kind = Kind::real, .real = std::bit_cast<double>(bits), .text = {}, .items = {}});
  }

  std::optional<std::vector<ValueIndex>> take_top(std::size_t size) {
    const auto floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor < size) {
      give_up("the pickle takes a value that is not there");
      return std::nullopt;
    }
    std::vector<ValueIndex> items(stack_.end() - static_cast<std::ptrdiff_t>(size), stack_.end());
    stack_.resize(stack_.size() - size);
    return items;
  }

  std::optional<std::vector<ValueIndex>> take_marked() {
    if (marks_.empty()) {
      give_up("the pickle goes back to a mark that is not there");
      return std::nullopt;
    }
    const auto size = stack_.size() - marks_.back();
    auto items = take_top(size);
    marks_.pop_back();
    return items;
  }

  // The container is below the items.
  void append_to(Kind kind, const std::vector<ValueIndex>& items) {
    const auto floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor || pickled_.values_[stack_.back()].kind != kind) {
      return give_up("the pickle fills what is no container");
    }
    if (kind == Kind::dict && items.size() % 2 != 0) return give_up("the pickle sets a key without a value");
    // Items are references: without a bound of their own, one list could be filled with itself for ever.
    item_count_ += items.size();
    if (item_count_ > limits_.values_max) return give_up("the pickle holds too many values");
    auto& container = pickled_.values_[stack_.back()].items;
    container.insert(container.end(), items.begin(), items.end());
  }

  void remember(std::size_t place) {
    const auto floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) return give_up("the pickle remembers a value that is not there");
    if (place >= limits_.memo_max) return give_up("the pickle remembers too many values");
    if (memo_.size() <= place) memo_.resize(place + 1);
    memo_[place] = stack_.back();
  }

  void recall(std::size_t place) {
    if (place >= memo_.size() || !memo_[place]) return give_up("the pickle recalls what it did not remember");
    push_index(*memo_[place]);
  }

  void finish() {
    if (stack_.size() != 1 || !marks_.empty()) return give_up("the pickle ends with other than one value");
    if (!rest_.empty()) return give_up("the pickle goes on behind its end");
    pickled_.root_ = stack_.back();
    stopped_ = true;
  }

  std::string_view rest_;
  const PickleLimits& limits_;
  Pickled pickled_;
  std::vector<ValueIndex> stack_;
  std::vector<std::size_t> marks_;
  std::vector<std::optional<ValueIndex>> memo_;
  std::size_t item_count_ = 0;
  bool stopped_ = false;
  std::string failure_;
};

Result<Pickled> read_pickle(std::string_view bytes, const PickleLimits& limits) {
  return PickleReader(bytes, limits).read();
}

void PickleWriter::none() {
  body_ += byte_of(Opcode::none);
}

void PickleWriter::integer(std::int64_t value) {
  if (value >= 0 && value <= 0xff) {
    body_ += byte_of(Opcode::binint1);
    append_little_endian(body_, static_cast<std::uint64_t>(value), 1);
  } else if (value >= 0 && value <= 0xffff) {
    body_ += byte_of(Opcode::binint2);
    append_little_endian(body_, static_cast<std::uint64_t>(value), 2);
  } else if (value >= std::numeric_limits<std::int32_t>::min() &&
             value <= std::numeric_limits<std::int32_t>::max()) {
    body_ += byte_of(Opcode::binint);
    append_little_endian(body_, static_cast<std::uint64_t>(value), 4);
  } else {
    // As few bytes as hold the value and its sign.
    std::size_t size = 1;
    while (size < 8 && (value >> (8 * size - 1)) != 0 && (value >> (8 * size - 1)) != -1) ++size;
    body_ += byte_of(Opcode::long1);
    append_little_endian(body_, size, 1);
    append_little_endian(body_, static_cast<std::uint64_t>(value), size);
  }
}

void PickleWriter::text(std::string_view value) {
  SWITCHYARD_ASSERT(value.size() <= 0xff);
  body_ += byte_of(Opcode::short_binunicode);
  body_ += static_cast<char>(value.size());
  body_ += value;
  memoize();
}

void PickleWriter::empty_tuple() {
  body_ += byte_of(Opcode::empty_tuple);
}

void PickleWriter::begin_dict() {
  body_ += byte_of(Opcode::empty_dict);
  memoize();
  body_ += byte_of(Opcode::mark);
}

void PickleWriter::end_dict() {
  body_ += byte_of(Opcode::setitems);
}

void PickleWriter::begin_tuple() {
  body_ += byte_of(Opcode::mark);
}

void PickleWriter::end_tuple() {
  body_ += byte_of(Opcode::tuple);
  memoize();
}

void PickleWriter::memoize() {
  body_ += byte_of(Opcode::memoize);
}

std::string PickleWriter::finish() {
  // CPython makes a frame only of four bytes or more.
  constexpr std::size_t frame_bytes_min = 4;
  body_ += byte_of(Opcode::stop);
  std::string pickle;
  pickle += byte_of(Opcode::proto);
  pickle += static_cast<char>(protocol_max);
  if (body_.size() >= frame_bytes_min) {
    pickle += byte_of(Opcode::frame);
    append_little_endian(pickle, body_.size(), 8);
  }
  pickle += std::exchange(body_, {});
  return pickle;
}

}  // namespace switchyard::rq
