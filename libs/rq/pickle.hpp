// Python's pickle, as far as RQ's jobs need it: plain values, and nothing that could build an object.
//
// The reader knows the opcodes of None, bool, int, float, str, tuple, list and dict in protocols 2 to 5 and
// refuses every other one, above all those that import or call something (GLOBAL, REDUCE, BUILD ...). A
// pickle cannot make it use more than its bounds: what is shared by the memo is shared here, too.
//
// Source: CPython, Lib/pickletools.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace switchyard::rq {

struct PickleLimits {
  std::size_t bytes_max = 64 * 1024;
  // Values in all; values on the stack; open marks; entries of the memo.
  std::size_t values_max = 10'000;
  std::size_t stack_max = 1'000;
  std::size_t depth_max = 32;
  std::size_t memo_max = 1'000;
};

// An index into Pickled: values are shared, and may even hold themselves.
using ValueIndex = std::uint32_t;

struct PickledValue {
  enum class Kind : std::uint8_t { none, boolean, integer, real, text, list, tuple, dict };

  Kind kind = Kind::none;
  // Of an integer; of a boolean, 0 or 1.
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  // Of a list or tuple; of a dict: key, value, key, value ...
  std::vector<ValueIndex> items;
};

class Pickled {
 public:
  const PickledValue& root() const { return values_[root_]; }
  const PickledValue& at(ValueIndex index) const { return values_[index]; }

 private:
  friend class PickleReader;
  std::vector<PickledValue> values_;
  ValueIndex root_ = 0;
};

// Error, invalid_argument: the detail names the opcode or the bound, and repeats nothing of the content.
Result<Pickled> read_pickle(std::string_view bytes, const PickleLimits& limits = {});

// Writes values as CPython's pickler does in protocol 5, byte for byte: the frame, and a place in the memo
// for each text, tuple and dict. Enough for a job without arguments by position.
class PickleWriter {
 public:
  void none();
  void integer(std::int64_t value);
  // Up to 255 bytes.
  void text(std::string_view value);
  void empty_tuple();
  void begin_dict();
  // Behind at least two pairs.
  void end_dict();
  // Around four values or more.
  void begin_tuple();
  void end_tuple();

  // The whole pickle; the writer is empty afterwards.
  std::string finish();

 private:
  void memoize();

  std::string body_;
};

}  // namespace switchyard::rq
