// The bodies of POST /transaction/{id}/capture, /void and /refund, read and checked; and what is said to who
// asks for what is not possible.
#pragma once

#include <expected>
#include <string_view>

#include <boost/json/object.hpp>

#include "http/message.hpp"
#include "payment/request.hpp"

namespace switchyard::core {

// What is asked for, without the PSP's key, or the 422 that says what is wrong and what would be right;
// checked in the order in which it is told: amount, what is not known, then the other members, and the query.
// An amount that is not there is all that is left; one that is null is refused, for who meant another.
std::expected<payment::Request, http::Response> read_operation(payment::Kind kind,
                                                               const boost::json::object& body,
                                                               std::string_view query);

// 422 with the member `left`, in minor units; 409 with the member `transaction_status`.
http::Response refuse_operation(const payment::Refusal& refusal);

}  // namespace switchyard::core
