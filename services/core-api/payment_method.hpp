// What a new payment is paid with, and where the customer comes back to: the members payment_method and
// return_url of POST /transaction.
#pragma once

#include <expected>
#include <string>

#include <boost/json/object.hpp>

#include "http/message.hpp"

namespace switchyard::core {

// By adapter, as payment::Transaction keeps it: {"stripe":"pm_1"}. Empty where it is not given. 422 where an
// adapter is not known, or could do nothing with what is given for it; nothing of that is repeated. What a
// PSP's page has encrypted of a card is refused, too: it would have to be stored, with its security code
// (PCI DSS 4.0, 3.3.1).
std::expected<std::string, http::Response> read_payment_method(const boost::json::object& body);

// Empty where it is not given; https, at most 2048 printable ASCII characters.
std::expected<std::string, http::Response> read_return_url(const boost::json::object& body);

}  // namespace switchyard::core
