// How long the body of a request is, from its header (RFC 9112, 6).
//
// What two readers could understand differently is refused instead of guessed, and ends the connection:
// whoever stands in front may have understood the other thing (request smuggling, RFC 9112, 11.2).
#pragma once

#include <cstdint>
#include <expected>

#include <boost/beast/http/fields.hpp>

#include "http/message.hpp"

namespace switchyard::http {

struct Framing {
  bool chunked = false;
  // Without chunked; not held against any bound yet.
  std::uint64_t length = 0;
};

// `version` 10 or 11. The refusal is 400; 501 for a transfer coding that is not known here, where the last
// one is not "chunked" or stands behind others.
std::expected<Framing, Response> framing_of(const boost::beast::http::fields& header, unsigned version);

}  // namespace switchyard::http
