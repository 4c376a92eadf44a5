// What a PSP can do, and what follows from it before anything is sent. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "payment/answer.hpp"
#include "payment/operation.hpp"
#include "payment/retry_policy.hpp"

namespace switchyard::psp {

// How an outcome that was lost is learned.
enum class LookUp {
  by_key,     // Protocol::look_up() knows what to ask, and where it reads a no, that is believed
  by_resend,  // it answers the same request under the same key as the first time, while it keeps the key
  none,       // it can only be waited for
};

struct Capabilities {
  LookUp look_up = LookUp::none;
  // For how long the same request under the same key is done once.
  std::chrono::hours key_held_for{0};
  bool partial_capture = false;
  // More than one capture of a hold.
  bool several_captures = false;
  // The final one lets go of what is left of the hold.
  bool releases_rest = true;
  // Results may come after a first "taken" (Pending).
  bool late_results = false;
  // An authorization that waits for its customer can be ended.
  bool can_end = false;
  // One of which nothing could be learned, too: by our own name for it.
  bool can_end_unknown = false;
};

inline constexpr Capabilities everything{.look_up = LookUp::by_key,
                                         .key_held_for = payment::for_ever,
                                         .partial_capture = true,
                                         .several_captures = true,
                                         .late_results = true};

// Why `psp` cannot do the operation, which is not sent then; nothing if it can.
std::optional<payment::Rejected> refusal_of(const Capabilities& can, std::string_view psp,
                                            const payment::State& state, const payment::Operation& operation);

}  // namespace switchyard::psp
