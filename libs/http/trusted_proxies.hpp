// Whom to believe about where a request comes from.
//
// Behind a router each connection comes from the router, and X-Forwarded-For says who is behind it. Everybody
// can send that header, so it counts only where the connection comes from a trusted proxy; and since each
// proxy appends the peer that it saw, what stands to the right of the first address that is no trusted proxy
// was written by proxies we trust, and what stands to its left by anybody.
//
// Immutable; safe to use from any thread.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/beast/http/fields.hpp>

#include "base/error.hpp"

namespace switchyard::http {

class TrustedProxies {
 public:
  // Nobody.
  TrustedProxies() = default;

  // A list of networks, "10.0.0.0/8, 2001:db8::/32", and addresses, with commas or blanks between them.
  // invalid_argument names the part that is none, or that would trust everybody (a prefix of 0 bits).
  static Result<TrustedProxies> parse(std::string_view list);

  bool contains(const boost::asio::ip::address& address) const;

  // Who sent the request: the peer; or, where that is a trusted proxy, the last address in X-Forwarded-For
  // that is none, or the first one if all are. The peer also where there is no such header, or something in
  // it, as far as it is read, is not an address (with or without a port).
  boost::asio::ip::address client(const boost::asio::ip::address& peer,
                                  const boost::beast::http::fields& headers) const;

 private:
  // An IPv4 address as the IPv6 address it is mapped to.
  using Bytes = std::array<unsigned char, 16>;
  struct Network {
    Bytes address{};
    unsigned bits = 0;
  };

  static Bytes bytes_of(const boost::asio::ip::address& address);
  static Result<Network> parse_network(std::string_view text);

  std::vector<Network> networks_;
};

}  // namespace switchyard::http
