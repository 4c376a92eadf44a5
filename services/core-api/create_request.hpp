// The body of POST /transaction, read and checked.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "http/message.hpp"
#include "money/money.hpp"

namespace switchyard::core {

// The amount and currency, or the 422 that says which is wrong and what would be right. `amount_max` in minor
// units.
std::expected<Money, http::Response> read_money(const boost::json::object& body, std::int64_t amount_max);

// All that a new transaction is made of, checked in the order in which it is told: amount, currency, then
// what is not known, in the body or the query.
std::expected<Money, http::Response> read_new_transaction(const boost::json::object& body,
                                                          std::string_view query, std::int64_t amount_max);

// A 422 if any text, name or number of the body looks like a card number (PCI DSS: it must not get further).
std::expected<void, http::Response> refuse_card_numbers(const boost::json::object& body);

struct RequestKey {
  // Empty: the request has none.
  std::string key;
  // The same header as it was read, and stored, before parameters and escapes were understood; empty if that
  // is no other key.
  std::string former;
};

// The Idempotency-Key header: a string (draft-ietf-httpapi-idempotency-key-header; RFC 9651), or bare, which
// is taken as it is. 400 if there are two, or if it is not 1 to 255 printable characters.
std::expected<RequestKey, http::Response> read_idempotency_key(const http::Request& request);

// SHA-256 of all the body says, whatever its order and white space. The token is left out: a client that
// tries again later has a new one.
std::string fingerprint_of(const boost::json::object& body);

}  // namespace switchyard::core
