#include "psp/simulator/requests.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace switchyard::psp::simulator {

// References and codes are names: nothing in them needs an escape.
std::string encode(const payment::State& state, const payment::Operation& operation) {
  const auto amount = operation.amount.minor();
  const auto currency = operation.amount.currency().code();
  switch (operation.kind) {
    case payment::Kind::authorize:
      return fmt::format(R"({{"reference":"{}","amount":{},"currency":"{}","capture_method":"{}"}})",
                         psp_reference(state.transaction), amount, currency,
                         payment::to_string(state.transaction.capture_method));
    case payment::Kind::capture:
      return fmt::format(R"({{"amount":{},"currency":"{}","final":{}}})", amount, currency,
                         operation.is_final);
    case payment::Kind::void_:
      return "{}";
    case payment::Kind::refund:
      return fmt::format(R"({{"amount":{},"currency":"{}"}})", amount, currency);
  }
  SWITCHYARD_ASSERT(false);
}

std::string charge_id_of(const payment::State& state) {
  const auto* authorization = payment::find_authorization(state);
  return authorization == nullptr ? std::string() : authorization->psp_reference;
}

}  // namespace switchyard::psp::simulator
