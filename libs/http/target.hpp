// Where a request goes, by its target (RFC 9112, 3.2) and its Host header.
#pragma once

#include <string_view>

namespace switchyard::http {

struct Target {
  std::string_view path;
  // What follows the '?'.
  std::string_view query;
};

// Of a target in origin-form, or in absolute-form with the scheme http or https; anything else is a path that
// no route serves. Views into `target`.
Target split_target(std::string_view target);

// True for "host" and "host:port" (RFC 9110, 7.2), where the host is a name, an IPv4 address or an IPv6
// address in brackets; also for an empty value, which says that there is no name.
bool is_host(std::string_view value);

}  // namespace switchyard::http
