// Responses that are broken on purpose, by a program that misbehaves so that others can be tested.
#pragma once

#include <functional>

#include "http/message.hpp"

namespace switchyard::http {

// What becomes of a response. Unless it is sent, the client gets no byte of it, and its connection ends.
enum class Delivery {
  sent,
  reset,     // the connection is reset (RST)
  withheld,  // the connection is held open until the client leaves, at most for Limits::keep_alive
};

// Asked for each response when it would be written, on the thread of its connection; must not wait.
using DeliveryHook = std::function<Delivery(const Response&)>;

}  // namespace switchyard::http
