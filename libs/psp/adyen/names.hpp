// What Adyen is told an operation is called, and our operation found again by what Adyen calls it.
//
// Both names come from the operation's idempotency key, which is unique: of two attempts at one transaction
// each has its own, so that an event or a cancel by reference is never about the wrong one.
//
// | what            | Adyen's limit                         | ours                     |
// |-----------------|---------------------------------------|--------------------------|
// | reference       | 80 characters; a hyphen parts several | the key with "_" for "-" |
// | Idempotency-Key | 64 characters                         | the key                  |
//
// A key that does not fit goes as its SHA-256 in hexadecimal: 64 characters. These mappings stay as they are
// forever: what was sent under one name would otherwise be sent again under another. (Adyen, Checkout API
// v71, POST /payments; API idempotency.)
#pragma once

#include <string>
#include <string_view>

namespace switchyard::psp::adyen {

std::string reference_of(std::string_view idempotency_key);
std::string header_key_of(std::string_view idempotency_key);

// The names of a cancel by reference, which belongs to an authorization and is no operation of its own.
std::string cancel_reference_of(std::string_view idempotency_key);
std::string cancel_header_key_of(std::string_view idempotency_key);

// What a reference says. One that is not ours says nothing, or a key that no operation has.
struct Named {
  std::string idempotency_key;
  // psp_reference() of the transaction, where the key holds it: that of an authorization always does.
  std::string transaction_reference;
  // Of a cancel by reference; the key is the authorization's.
  bool is_cancel = false;
};
Named read_reference(std::string_view reference);

}  // namespace switchyard::psp::adyen
