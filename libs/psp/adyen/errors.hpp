// What an answer of Adyen that is no success means: the second table of answers.hpp.
#pragma once

#include "http/client.hpp"
#include "payment/answer.hpp"

namespace switchyard::psp::adyen {

inline constexpr long unprocessable = 422;

// `is_payment`: the customer's data was sent, and may be what is wrong. Of any status but 200 and 201.
payment::Answer read_error(const http::ClientResponse& response, bool is_payment);

}  // namespace switchyard::psp::adyen
