// The circuit breaker of an account: a PSP that does not answer gets no new payments for a while, so that
// they go elsewhere at once and not after a time-out each.
//
// Pure: what happens is told with its time, and nothing happens by itself. A time before the latest one that
// was told counts as that one, so a clock that is put back does no harm.
//
// | state     | payments       | becomes                                                                  |
// |-----------|----------------|--------------------------------------------------------------------------|
// | closed    | all            | open: a failure makes failures_min of them within the window, and they   |
// |           |                |   are failures_percent of all calls there                                |
// | open      | none           | half_open: when its time is over. What is heard until then is of earlier |
// |           |                |   calls, or of operations that cannot go elsewhere, and changes nothing  |
// | half_open | one at a time  | closed, with nothing counted: an answer. open, for twice as long: a      |
// |           |                |   failure                                                                |
//
// An answer is an answer, whatever it says: a PSP that declines works. Only what decides about new payments
// asks the breaker: a capture, a refund or a look-up has no other account to go to.
//
// Plain value; for one thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "payment/answer.hpp"

namespace switchyard::routing {

struct BreakerPolicy {
  // Counted in tenths of it: the last nine, and what there is of the one under way.
  std::chrono::milliseconds window{60'000};
  std::int32_t failures_min = 5;
  std::int32_t failures_percent = 50;
  // The first time, and the longest. Longer than the deadline of a call: so a half-open breaker hears of none
  // that was begun before it opened.
  std::chrono::milliseconds open_for{15'000};
  std::chrono::milliseconds open_for_max{240'000};
  // For how long the one payment of a half-open breaker holds others up that is never heard of.
  std::chrono::milliseconds probe_for{30'000};
};

enum class BreakerState : std::uint8_t { closed, open, half_open };

std::string_view to_string(BreakerState state);

// What became of a call.
enum class Heard : std::uint8_t {
  answered,  // whatever the answer
  not_sent,  // it did not reach the PSP, or was turned away unread
  unknown,   // no readable answer
};

Heard heard_of(const payment::Answer& answer);
Heard heard_of(const payment::Found& found);

struct CallCounts {
  std::int64_t answered = 0;
  std::int64_t failed = 0;

  friend bool operator==(const CallCounts&, const CallCounts&) = default;
};

class Breaker {
 public:
  explicit Breaker(BreakerPolicy policy = {}) : policy_(policy) {}

  BreakerState state(Timestamp now) const;
  // Whether a new payment may be sent.
  bool lets_through(Timestamp now) const;
  // Within the window. What is heard while it is open is counted, too.
  CallCounts counts(Timestamp now) const;
  // Nothing unless it is open.
  std::optional<Timestamp> open_until(Timestamp now) const;

  // A payment is sent that was let through: a half-open breaker lets no other through until it is heard of.
  void sent(Timestamp now);
  void heard(Heard what, Timestamp now);

 private:
  static constexpr std::int64_t parts = 10;

  // A tenth of a window.
  struct Part {
    std::int64_t number = 0;
    CallCounts counts{};
  };

  Timestamp at_least_latest(Timestamp now) const { return now < latest_ ? latest_ : now; }
  std::int64_t part_number(Timestamp now) const;
  void count(Heard what, Timestamp now);
  bool is_too_bad(Timestamp now) const;
  void open(std::chrono::milliseconds time, Timestamp now);
  void close();

  BreakerPolicy policy_;
  std::array<Part, static_cast<std::size_t>(parts)> parts_{};
  Timestamp latest_{};
  // Empty: closed.
  std::optional<Timestamp> open_until_{};
  std::chrono::milliseconds open_for_{0};
  // While half-open, if one is under way.
  std::optional<Timestamp> probe_until_{};
};

}  // namespace switchyard::routing
