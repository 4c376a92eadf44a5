// Responses that are broken on purpose, for whichever PSP is played.
#pragma once

#include "http/delivery.hpp"
#include "http/message.hpp"
#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp_simulator {

// What the router is to do with a response that `break_delivery` has marked.
http::Delivery delivery_of(const http::Response& response);

// Makes the response late, withheld, reset or unreadable where the answer says so; other answers leave it.
void break_delivery(http::Response& response, psp::simulator::Answer answer, std::chrono::milliseconds delay);

// Whether the answer is an error in the PSP's own words, in the place of its response.
bool is_error(psp::simulator::Answer answer);

}  // namespace switchyard::psp_simulator
