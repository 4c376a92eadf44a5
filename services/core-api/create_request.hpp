// The body of POST /transaction, read and checked.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include <boost/json/object.hpp>

#include "http/message.hpp"
#include "money/money.hpp"

namespace switchyard::core {

// The amount and currency, or the 422 that says which is wrong and what would be right. `amount_max` in minor
// units.
std::expected<Money, http::Response> read_money(const boost::json::object& body, std::int64_t amount_max);

// A 422 if any text, name or number of the body looks like a card number (PCI DSS: it must not get further).
std::expected<void, http::Response> refuse_card_numbers(const boost::json::object& body);

// The Idempotency-Key header, bare or as a quoted string (draft-ietf-httpapi-idempotency-key-header); empty
// if there is none. 400 if it is not 1 to 255 printable characters.
std::expected<std::string, http::Response> read_idempotency_key(const http::Request& request);

// SHA-256 of all the body says, whatever its order and white space. The token is left out: a client that
// tries again later has a new one.
std::string fingerprint_of(const boost::json::object& body);

}  // namespace switchyard::core
