// What the simulated PSP is sent, whether in this process or over HTTP. Pure.
#pragma once

#include <string>

#include "payment/operation.hpp"

namespace switchyard::psp::simulator {

// The JSON of the operation:
//
// | authorize | {"reference":"...","amount":100,"currency":"USD","capture_method":"automatic"} |
// | capture   | {"amount":100,"currency":"USD","final":true}                                   |
// | void      | {}                                                                             |
// | refund    | {"amount":100,"currency":"USD"}                                                |
//
// Written once and stored: a program of another version sends what this one wrote, so these bytes stay.
std::string encode(const payment::State& state, const payment::Operation& operation);

// The PSP's own name of the charge that an operation is about: what its authorization was answered with.
std::string charge_id_of(const payment::State& state);

}  // namespace switchyard::psp::simulator
