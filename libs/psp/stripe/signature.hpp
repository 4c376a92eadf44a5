// The Stripe-Signature of a webhook's request (Stripe documentation, "Verify webhook signatures manually"):
//
//   t=1760000000,v1=<64 hexadecimal digits>[,v1=...][,v0=...]
//
// An HMAC-SHA256 of t, a point and the raw body, under the whole secret ("whsec_..."). While a secret is
// being replaced, Stripe signs with both; schemes other than v1 prove nothing.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "token/hmac_sha256.hpp"

namespace switchyard::psp::stripe {

// How much older or newer than ours the signature's time may be: what was overheard cannot be sent again for
// ever. Stripe signs anew each time that it sends an event again.
inline constexpr std::chrono::seconds signature_tolerance{300};

// Why the request is not Stripe's; empty if one of the keys has signed it. Compares in constant time.
std::string_view why_not_signed(const std::vector<token::HmacSha256>& keys, std::string_view header,
                                std::string_view body, Timestamp now);

}  // namespace switchyard::psp::stripe
