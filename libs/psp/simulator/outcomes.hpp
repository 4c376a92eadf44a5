// What the simulated PSP does with which amount (in minor units, whatever the currency). The values are those
// of Gr4vy's simulator, so that test suites written for it keep their meaning.
#pragma once

#include <cstdint>
#include <string_view>

namespace switchyard::psp::simulator {

enum class Behaviour {
  approve,
  decline,
  // The network fails before anything is sent.
  unreachable,
  // The charge is made, and the answer is lost.
  lose_answer,
};

struct AmountBehaviour {
  Behaviour behaviour = Behaviour::approve;
  // Of a decline: the ISO 8583 response code, and whether the scheme allows another try.
  std::string_view code;
  bool retriable = false;
};

constexpr AmountBehaviour behaviour_of(std::int64_t amount_minor) {
  switch (amount_minor) {
    case 200011:
      return {Behaviour::decline, "51", true};  // insufficient funds
    case 200012:
      return {Behaviour::decline, "91", true};  // issuer declines for now
    case 200017:
      return {Behaviour::decline, "59", false};  // suspected fraud
    case 300014:
      return {Behaviour::unreachable, {}, true};
    case 500001:
      return {Behaviour::lose_answer, {}, true};
    default:
      return {};
  }
}

}  // namespace switchyard::psp::simulator
