#include "http/trusted_proxies.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace switchyard::http {
namespace {

namespace ip = boost::asio::ip;

constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<unsigned> number(std::string_view digits, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value > most) return std::nullopt;
  return value;
}

// Without a zone, which means nothing on another machine.
std::optional<ip::address> parse_address(std::string_view text) {
  if (text.size() > 45 || text.find('%') != std::string_view::npos) return std::nullopt;
  boost::system::error_code error;
  auto address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  return address;
}

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80".
std::optional<ip::address> parse_forwarded(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && (!rest.starts_with(':') || !number(rest.substr(1), 65'535))) return std::nullopt;
    const auto address = parse_address(text.substr(1, end - 1));
    return address && address->is_v6() ? address : std::nullopt;
  }
  const auto colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    if (!number(text.substr(colon + 1), 65'535)) return std::nullopt;
    text = text.substr(0, colon);
  }
  return parse_address(text);
}

}  // namespace

TrustedProxies::Bytes TrustedProxies::bytes_of(const ip::address& address) {
  if (address.is_v4()) return ip::make_address_v6(ip::v4_mapped, address.to_v4()).to_bytes();
  return address.to_v6().to_bytes();
}

Result<TrustedProxies::Network> TrustedProxies::parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no IP address", text));
  const unsigned width = address->is_v4() ? 32 : 128;
  unsigned bits = width;
  if (slash != std::string_view::npos) {
    const auto prefix = number(text.substr(slash + 1), width);
    if (!prefix) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("'{}' has a prefix that is no number from 1 to {}", text, width));
    }
    bits = *prefix;
  }
  if (bits == 0) return fail(ErrorCode::invalid_argument, fmt::format("'{}' would trust everybody", text));
  Network network{bytes_of(*address), bits + 128 - width};
  for (unsigned bit = network.bits; bit < 128; ++bit) {
    if ((network.address[bit / 8] >> (7 - bit % 8) & 1U) != 0) {
      return fail(ErrorCode::invalid_argument, fmt::format("'{}' has bits set beyond its prefix", text));
    }
  }
  return network;
}

Result<TrustedProxies> TrustedProxies::parse(std::string_view list) {
  TrustedProxies proxies;
  while (!list.empty()) {
    const auto end = std::min(list.find_first_of(", \t"), list.size());
    if (end > 0) {
      const auto network = parse_network(list.substr(0, end));
      if (!network) return std::unexpected(network.error());
      proxies.networks_.push_back(*network);
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return proxies;
}

bool TrustedProxies::contains(const ip::address& address) const {
  if (networks_.empty()) return false;
  const auto bytes = bytes_of(address);
  return std::ranges::any_of(networks_, [&bytes](const Network& network) {
    const auto whole = network.bits / 8;
    const auto rest = network.bits % 8;
    return std::equal(bytes.begin(), bytes.begin() + whole, network.address.begin()) &&
           (rest == 0 || (bytes[whole] ^ network.address[whole]) >> (8 - rest) == 0);
  });
}

ip::address TrustedProxies::client(const ip::address& peer, const boost::beast::http::fields& headers) const {
  if (!contains(peer)) return peer;
  // Several such fields are one list (RFC 9110, 5.3).
  std::string all;
  const auto [first, last] = headers.equal_range("X-Forwarded-For");
  for (auto field = first; field != last; ++field) {
    if (field != first) all += ',';
    all.append(field->value().data(), field->value().size());
  }
  if (all.empty()) return peer;

  auto client = peer;
  for (std::string_view rest = all;;) {
    const auto comma = rest.rfind(',');
    const auto entry = trimmed(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
    const auto address = parse_forwarded(entry);
    if (!address) return peer;
    client = *address;
    if (comma == std::string_view::npos || !contains(client)) return client;
    rest = rest.substr(0, comma);
  }
}

}  // namespace switchyard::http
