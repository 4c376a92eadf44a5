// What Switchyard asks of a payment service provider (PSP), and how: an adapter does the I/O.
//
// An adapter never decides: a time-out, a reset, a 5xx or an unreadable answer is OutcomeUnknown, and only
// what provably never left is NotSent. Each call takes a deadline and returns by then. Adapters belong to the
// thread they are called on, but for name(), capabilities() and encode().
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "base/task.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"
#include "psp/capabilities.hpp"

namespace switchyard::psp {

using Deadline = std::chrono::steady_clock::time_point;

class Adapter {
 public:
  virtual ~Adapter() = default;

  // The name operations carry. From any thread.
  virtual std::string_view name() const = 0;
  virtual Capabilities capabilities() const = 0;
  // The bytes that send() sends, stored as Operation::request before, or why it cannot be asked for the
  // operation. Pure; from any thread.
  virtual std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                               const payment::Operation& operation) const = 0;

  // Sends the step's operation as it was encoded. `step` lives until the result is there.
  virtual Task<payment::Answer> send(const payment::Step& step, Deadline deadline) = 0;
  // What became of the step's operation, which was sent before or was about to be. `now`: by the clock that
  // operations' times go by; whether the PSP still keeps a key depends on it.
  virtual Task<payment::Found> look_up(const payment::Step& step, Timestamp now, Deadline deadline) = 0;
  // Of a PSP that can (Capabilities::can_end): ends the step's authorization, which waits for its customer or
  // of which nothing is known, and says what became of it; ActionRequired or Pending where the PSP will say
  // that later.
  virtual Task<payment::Found> end(const payment::Step&, Deadline) { SWITCHYARD_ASSERT(false); }
};

}  // namespace switchyard::psp
