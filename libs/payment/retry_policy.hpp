// How patiently operations are tried, and asked for.
#pragma once

#include <chrono>
#include <cstdint>

namespace switchyard::payment {

// A century.
inline constexpr std::chrono::hours for_ever{24 * 365 * 100};

struct RetryPolicy {
  // How long a worker owns what it claimed. Longer than the deadline of a PSP call.
  std::chrono::milliseconds lease{15'000};

  // How often an operation is sent that does not arrive: the delay doubles from one to the next.
  std::int32_t sends_max = 3;
  std::chrono::milliseconds retry_delay{500};

  // Look-ups of an operation whose outcome is unknown, before a person is asked; the delay doubles up to the
  // longest.
  std::int32_t look_ups_max = 12;
  std::chrono::milliseconds look_up_delay{500};
  std::chrono::milliseconds look_up_delay_max{300'000};

  // Of the PSP: for how long the same request under the same key is done once. What came of it is not known,
  // and is over: then nothing is sent again.
  std::chrono::minutes key_held_for = for_ever;

  // How long a customer has to act, where the PSP can end what waits for them: it is ended there then, and
  // asked for. One who cannot be sent there, because the merchant gave no return_url, has no time at all.
  std::chrono::milliseconds customer_max{3'600'000};
  // Of the PSP: whether it ends an authorization that waits for its customer, and one of which nothing is
  // known.
  bool can_end = false;
  bool can_end_unknown = false;

  // How long a PSP that took an operation may take to say what came of it, before a person is asked.
  std::chrono::hours pending_max{24 * 7};

  // How long an operation waits for a worker for which its PSP is configured, before it fails or, where it
  // may have been sent, a person is asked. Others that come across it leave it alone for a while, which
  // doubles from look_up_delay up to the longest.
  std::chrono::hours elsewhere_max{24 * 7};
  std::chrono::milliseconds elsewhere_delay_max{60'000};

  // How long an authorization waits while no account takes it, before it fails.
  std::chrono::minutes no_account_max{10};
  // How long after it was sent an authorization may be made again at another account.
  std::chrono::minutes fail_over_max{5};
};

// The longest that a claim or an answer puts a next action off. One that is farther ahead was written by a
// clock that was wrong.
std::chrono::milliseconds longest_delay(const RetryPolicy& policy);

}  // namespace switchyard::payment
