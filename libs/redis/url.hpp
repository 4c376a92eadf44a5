// REDIS_URL: where Redis is, and who we are to it.
//
//   redis://[user:password@]host[:port][/db]          TCP
//   rediss://...                                      the same through TLS, with the host's name verified
//   unix://[user:password@]/path/to/socket[?db=N]     a socket on this machine
//   redis+sentinel://[user:password@]host[:port],host[:port].../service[/db]
//
// In user and password, %XX stands for a byte. A password alone is ":password@". With sentinels, user and
// password are the master's; "rediss+sentinel" is TLS to both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::redis {

struct Endpoint {
  std::string host;
  std::uint16_t port = 6379;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Url {
  bool tls = false;
  // The server, or the sentinels if `service` is set. Empty if `socket_path` is set.
  std::vector<Endpoint> endpoints;
  std::string socket_path;
  // The name by which the sentinels know the master; empty without sentinels.
  std::string service;
  std::string user;
  std::string password;
  std::int64_t database = 0;

  bool has_sentinels() const { return !service.empty(); }

  // For logs: without user and password.
  std::string to_string() const;
};

// Throws ConfigError for REDIS_URL, which never repeats a password.
Url parse_url(std::string_view text);

}  // namespace switchyard::redis
