#include "http/target.hpp"

#include <algorithm>

#include <boost/beast/core/string.hpp>

#include "base/ascii.hpp"

namespace switchyard::http {
namespace {

// "reg-name" of RFC 3986, 3.2.2; whether two hexadecimal digits follow a '%' does not matter here.
bool is_host_character(char c) {
  if (is_alphanumeric(c)) return true;
  return c != '\0' && std::string_view("-._~%!$&'()*+,;=").find(c) != std::string_view::npos;
}

// "IP-literal" without its brackets.
bool is_literal_character(char c) {
  return is_host_character(c) || c == ':';
}

// How long scheme and authority of a target in absolute-form are; 0 if it is in another form. An http URI has
// a host (RFC 9110, 4.2.1).
std::size_t origin_size(std::string_view target) {
  const auto scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return 0;
  const auto name = target.substr(0, scheme_end);
  const boost::beast::string_view scheme(name.data(), name.size());
  if (!boost::beast::iequals(scheme, "http") && !boost::beast::iequals(scheme, "https")) return 0;
  const auto authority = scheme_end + 3;
  const auto end = std::min(target.find_first_of("/?#", authority), target.size());
  return end == authority ? 0 : end;
}

}  // namespace

Target split_target(std::string_view target) {
  const auto origin = target.starts_with('/') ? 0 : origin_size(target);
  const auto rest = target.substr(origin);
  const auto question = rest.find('?');
  const auto path = rest.substr(0, question);
  return {.path = path.empty() && origin > 0 ? "/" : path,
          .query = question == std::string_view::npos ? std::string_view{} : rest.substr(question + 1)};
}

bool is_host(std::string_view value) {
  auto port = std::string_view{};
  if (value.starts_with('[')) {
    const auto close = value.find(']');
    if (close == std::string_view::npos) return false;
    if (!std::ranges::all_of(value.substr(1, close - 1), is_literal_character)) return false;
    port = value.substr(close + 1);
  } else {
    const auto colon = std::min(value.find(':'), value.size());
    if (!std::ranges::all_of(value.substr(0, colon), is_host_character)) return false;
    port = value.substr(colon);
  }
  return port.empty() || (port.front() == ':' && std::ranges::all_of(port.substr(1), is_digit));
}

}  // namespace switchyard::http
