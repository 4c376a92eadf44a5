// What the simulated PSP does: with which amount (in minor units, whatever the currency), and by name.
//
// The amounts below 600000 are those of Gr4vy's simulator, so that test suites written for it keep their
// meaning. They mean the same to an authorization, a capture and a refund; to a void, whose amount nobody
// chooses, none means anything.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::psp::simulator {

// What is booked for a request whose key is new.
enum class Charging {
  approve,
  decline,
  none,
  // Nothing the first time; when the same request comes again it is approved and answered.
  none_at_first,
  // Taken, and approved or declined by itself when the delay is over.
  approve_later,
  decline_later,
  // Approved, and declined after all when the delay is over.
  approve_and_take_back,
};

// What becomes of the answer, whatever was booked.
enum class Answer {
  given,
  late,
  withheld,     // never comes: a time-out
  error,        // 500
  reset,        // the connection is reset
  garbage,      // cannot be read
  error_kept,   // 500, and the same for ever under this key, where the PSP keeps answers
  transient,    // nothing was done, says the PSP; come again
  in_use,       // the first request with this key is still at work
  too_many,     // turned away unread
  unreachable,  // there is nobody; where somebody listens it is a reset
};

// How late a late answer is, or a late result, if nobody says.
inline constexpr std::chrono::milliseconds usual_delay{1'000};

struct Behaviour {
  Charging charging = Charging::approve;
  Answer answer = Answer::given;
  // Of a decline: an ISO 8583 response code.
  std::string_view code = {};
  // Of a late answer or a late result.
  std::chrono::milliseconds delay = usual_delay;
};

// Whether its delay means anything.
constexpr bool is_timed(const Behaviour& behaviour) {
  return behaviour.answer == Answer::late || behaviour.charging == Charging::approve_later ||
         behaviour.charging == Charging::decline_later ||
         behaviour.charging == Charging::approve_and_take_back;
}

// What the client gets; `booked`: whether the book has something for the request.
constexpr Answer answer_of(const Behaviour& behaviour, bool booked) {
  return booked && behaviour.charging == Charging::none_at_first ? Answer::given : behaviour.answer;
}

// --- Codes -------------------------------------------------------------------------------------

inline constexpr std::string_view insufficient_funds = "51";
inline constexpr std::string_view issuer_unavailable = "91";
inline constexpr std::string_view suspected_fraud = "59";
// The PSP's own words: of what it declined after it had approved it, and of what it refused because of the
// charge as it is.
inline constexpr std::string_view taken_back = "taken_back";
inline constexpr std::string_view over_what_is_left = "over_what_is_left";
inline constexpr std::string_view wrong_state = "wrong_state";

// Whether the scheme allows another try after a decline with this code.
constexpr bool is_soft_decline(std::string_view code) {
  return code == insufficient_funds || code == issuer_unavailable;
}

// Whether it says that the charge does not allow it: the request was refused, and is answered 422.
constexpr bool is_refusal(std::string_view code) {
  return code == over_what_is_left || code == wrong_state;
}

// What a code means, for people; empty for one that is not known here.
constexpr std::string_view words_of(std::string_view code) {
  if (code == insufficient_funds) return "insufficient funds";
  if (code == issuer_unavailable) return "issuer unavailable";
  if (code == suspected_fraud) return "suspected fraud";
  if (code == taken_back) return "the PSP approved it and took that back";
  if (code == over_what_is_left) return "more than is left of the charge";
  if (code == wrong_state) return "the charge is in no state for it";
  return {};
}

// --- By amount ---------------------------------------------------------------------------------

constexpr Behaviour behaviour_of(std::int64_t amount_minor) {
  switch (amount_minor) {
    case 200011:
      return {Charging::decline, Answer::given, insufficient_funds};
    case 200012:
      return {Charging::decline, Answer::given, issuer_unavailable};
    case 200017:
      return {Charging::decline, Answer::given, suspected_fraud};
    case 300014:
      return {Charging::none, Answer::unreachable};
    case 500001:
      return {Charging::approve, Answer::withheld};
    case 600001:
      return {Charging::approve, Answer::late};
    case 600002:
      return {Charging::none_at_first, Answer::withheld};
    case 600003:
      return {Charging::approve, Answer::error};
    case 600004:
      return {Charging::approve, Answer::reset};
    case 600005:
      return {Charging::approve, Answer::garbage};
    case 700001:
      return {Charging::approve_later};
    case 700002:
      return {Charging::decline_later, Answer::given, suspected_fraud};
    case 700003:
      return {Charging::approve_and_take_back};
    default:
      return {};
  }
}

// --- By name -----------------------------------------------------------------------------------

struct NamedBehaviour {
  std::string_view name;
  Behaviour behaviour;
};

// What a script can ask for.
inline constexpr std::array<NamedBehaviour, 20> named_behaviours{{
    {"approve", {}},
    {"soft_decline", {Charging::decline, Answer::given, insufficient_funds}},
    {"hard_decline", {Charging::decline, Answer::given, suspected_fraud}},
    {"slow", {Charging::approve, Answer::late}},
    {"time_out_before_charge", {Charging::none, Answer::withheld}},
    {"time_out_after_charge", {Charging::approve, Answer::withheld}},
    {"error_before_charge", {Charging::none, Answer::error}},
    {"error_after_charge", {Charging::approve, Answer::error}},
    {"reset_before_charge", {Charging::none, Answer::reset}},
    {"reset_after_charge", {Charging::approve, Answer::reset}},
    {"garbage_before_charge", {Charging::none, Answer::garbage}},
    {"garbage_after_charge", {Charging::approve, Answer::garbage}},
    {"pending", {Charging::approve_later}},
    {"pending_then_declined", {Charging::decline_later, Answer::given, suspected_fraud}},
    {"taken_back", {Charging::approve_and_take_back}},
    {"error_kept_before_charge", {Charging::none, Answer::error_kept}},
    {"error_kept_after_charge", {Charging::approve, Answer::error_kept}},
    {"transient_error", {Charging::none, Answer::transient}},
    {"in_use", {Charging::none, Answer::in_use}},
    {"too_many_requests", {Charging::none, Answer::too_many}},
}};

constexpr std::optional<Behaviour> find_behaviour(std::string_view name) {
  for (const auto& named : named_behaviours) {
    if (named.name == name) return named.behaviour;
  }
  return std::nullopt;
}

}  // namespace switchyard::psp::simulator
