// Adyen's errors: {"status","errorCode","message","errorType","pspReference"} (Adyen, Development resources,
// "Error codes"). Pure.
#pragma once

#include <string_view>

#include "psp-simulator/dialect/dialect.hpp"

namespace switchyard::psp_simulator::adyen {

// Of a code that is in the table; its status, type and message follow.
Reply error(std::string_view code);
// 429, whose body Adyen does not document.
Reply too_many_requests();

}  // namespace switchyard::psp_simulator::adyen
