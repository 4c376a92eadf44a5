// Bounds of the HTTP server. What overflows is refused with a status that says so.
#pragma once

#include <chrono>
#include <cstddef>

namespace switchyard::http {

struct Limits {
  std::size_t header_bytes_max = 16 * 1024;  // 431
  std::size_t header_fields_max = 100;       // 431: each costs far more than its bytes
  std::size_t body_bytes_max = 64 * 1024;    // 413
  std::size_t connections_max = 10'000;      // per server; 503
  // Of these, from one IPv4 address or IPv6 network of 64 bits; 429. Less than all, so that nobody has them
  // all.
  std::size_t connections_per_address_max = 8'000;
  // What all connections hold beyond the little that each keeps (BufferBudget): half-sent requests, 503;
  // replies that nobody takes, whose connection ends.
  std::size_t buffered_bytes_max = 256 * 1024 * 1024;
  // Of these, the connections of one address.
  std::size_t buffered_bytes_per_address_max = buffered_bytes_max / 5 * 4;
  std::chrono::milliseconds request{10'000};      // to read a whole request from its first byte; 408
  std::chrono::milliseconds response{10'000};     // to write a response
  std::chrono::milliseconds keep_alive{120'000};  // between requests
};

}  // namespace switchyard::http
