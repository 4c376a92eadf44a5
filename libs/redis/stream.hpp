// The bytes to and from Redis: TCP, TLS or a socket of this machine. Belongs to the thread of its executor.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>

#include "base/error.hpp"
#include "base/task.hpp"
#include "redis/url.hpp"

namespace switchyard::redis {

using Deadline = std::chrono::steady_clock::time_point;

class Stream {
 public:
  virtual ~Stream() = default;

  // At least one byte; an error also at the end of the stream. One reader and one writer at a time.
  virtual Task<Result<std::size_t>> read_some(asio::mutable_buffer buffer) = 0;
  virtual Task<Result<void>> write(asio::const_buffer bytes) = 0;
  // Ends what reads and writes.
  virtual void close() = 0;
  // Such as "127.0.0.1:40812"; empty where there is none.
  virtual std::string local_address() const = 0;
};

// Connects to the server at `endpoint`, or to the URL's socket, with TLS if the URL says so: the certificate
// must be of an authority that OpenSSL trusts (SSL_CERT_FILE, SSL_CERT_DIR) and name the endpoint's host.
Task<Result<std::unique_ptr<Stream>>> connect(Executor executor, Url url, Endpoint endpoint,
                                              Deadline deadline);

}  // namespace switchyard::redis
