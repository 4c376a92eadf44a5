// The body of POST /transaction, read and checked, and what other requests that move money have in common
// with it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "http/message.hpp"
#include "money/money.hpp"
#include "payment/operation.hpp"

namespace switchyard::core {

// The member `amount`, a whole number of minor units above zero, or the 422 that says what would be right.
// `amount_max` in minor units.
std::expected<std::int64_t, http::Response> read_amount(const boost::json::object& body,
                                                        std::int64_t amount_max);

// The amount and currency, or the 422 that says which is wrong and what would be right.
std::expected<Money, http::Response> read_money(const boost::json::object& body, std::int64_t amount_max);

struct NewTransaction {
  Money amount;
  payment::CaptureMethod capture_method = payment::CaptureMethod::automatic;
  // The merchant's own, as in payment::Transaction; empty where not given.
  std::string reference{};
  std::string description{};
  std::string metadata{};
  std::string payment_method{};
  std::string return_url{};
};

// All that a new transaction is made of, checked in the order in which it is told: amount, currency, what is
// not known, then the other members, and the query.
std::expected<NewTransaction, http::Response> read_new_transaction(const boost::json::object& body,
                                                                   std::string_view query,
                                                                   std::int64_t amount_max);

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
// The same of a request that asks for an operation: also of which transaction, and which operation.
std::string fingerprint_of(payment::Kind kind, TransactionId id, const boost::json::object& body);

}  // namespace switchyard::core
