// What the simulated PSP does: with which amount (in minor units, whatever the currency), and by name.
//
// The amounts below 600000 are those of Gr4vy's simulator, so that test suites written for it keep their
// meaning.
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
};

// What becomes of the answer, whatever was booked.
enum class Answer {
  given,
  late,
  withheld,     // never comes: a time-out
  error,        // 500
  reset,        // the connection is reset
  garbage,      // cannot be read
  unreachable,  // there is nobody; where somebody listens it is a reset
};

struct Behaviour {
  Charging charging = Charging::approve;
  Answer answer = Answer::given;
  // Of a decline: the ISO 8583 response code.
  std::string_view code;
};

// What the client gets; `booked`: whether the book has a charge for the request.
constexpr Answer answer_of(const Behaviour& behaviour, bool booked) {
  return booked && behaviour.charging == Charging::none_at_first ? Answer::given : behaviour.answer;
}

// How late a late answer is if nobody says.
inline constexpr std::chrono::milliseconds usual_delay{1'000};

inline constexpr std::string_view insufficient_funds = "51";
inline constexpr std::string_view issuer_unavailable = "91";
inline constexpr std::string_view suspected_fraud = "59";

// Whether the scheme allows another try after a decline with this code.
constexpr bool is_soft_decline(std::string_view code) {
  return code == insufficient_funds || code == issuer_unavailable;
}

constexpr Behaviour behaviour_of(std::int64_t amount_minor) {
  switch (amount_minor) {
    case 200011:
      return {Charging::decline, Answer::given, insufficient_funds};
    case 200012:
      return {Charging::decline, Answer::given, issuer_unavailable};
    case 200017:
      return {Charging::decline, Answer::given, suspected_fraud};
    case 300014:
      return {Charging::none, Answer::unreachable, {}};
    case 500001:
      return {Charging::approve, Answer::withheld, {}};
    case 600001:
      return {Charging::approve, Answer::late, {}};
    case 600002:
      return {Charging::none_at_first, Answer::withheld, {}};
    case 600003:
      return {Charging::approve, Answer::error, {}};
    case 600004:
      return {Charging::approve, Answer::reset, {}};
    case 600005:
      return {Charging::approve, Answer::garbage, {}};
    default:
      return {};
  }
}

struct NamedBehaviour {
  std::string_view name;
  Behaviour behaviour;
};

// What a script can ask for.
inline constexpr std::array<NamedBehaviour, 12> named_behaviours{{
    {"approve", {}},
    {"soft_decline", {Charging::decline, Answer::given, insufficient_funds}},
    {"hard_decline", {Charging::decline, Answer::given, suspected_fraud}},
    {"slow", {Charging::approve, Answer::late, {}}},
    {"time_out_before_charge", {Charging::none, Answer::withheld, {}}},
    {"time_out_after_charge", {Charging::approve, Answer::withheld, {}}},
    {"error_before_charge", {Charging::none, Answer::error, {}}},
    {"error_after_charge", {Charging::approve, Answer::error, {}}},
    {"reset_before_charge", {Charging::none, Answer::reset, {}}},
    {"reset_after_charge", {Charging::approve, Answer::reset, {}}},
    {"garbage_before_charge", {Charging::none, Answer::garbage, {}}},
    {"garbage_after_charge", {Charging::approve, Answer::garbage, {}}},
}};

constexpr std::optional<Behaviour> find_behaviour(std::string_view name) {
  for (const auto& named : named_behaviours) {
    if (named.name == name) return named.behaviour;
  }
  return std::nullopt;
}

}  // namespace switchyard::psp::simulator
