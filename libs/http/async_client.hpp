// An HTTP/1.1 client on one io thread: any number of calls under way, each with a deadline, over connections
// that are kept. No redirects, no proxy, no authentication but what the URL holds, answers of a bounded size.
//
// A request goes out once at most. libcurl by itself would send it again when a kept connection turns out
// dead, whether or not the first one arrived, and could then fail in a way that looks as if nothing had ever
// been sent; here it is stopped before the second time.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "base/task.hpp"
#include "http/client.hpp"

namespace switchyard::http {

class CurlLoop;

// What a call failed by, for who says it in words of their own.
enum class CallTrouble : std::uint8_t {
  other,
  name_not_found,
  not_connected,  // refused, or no way there
  tls,            // not spoken, or by nobody whose certificate can be trusted
  out_of_time,
  too_large,  // the answer
};

struct CallFailure {
  // False only if no byte of the request can have left: it must not be sent (problem_of), name not found,
  // connection refused, TLS refused, or out of time before there was a connection. Anything else is true: a
  // request that could have arrived.
  bool perhaps_sent = true;
  // For the log; never the URL, which may hold a password.
  std::string reason;
  CallTrouble trouble = CallTrouble::other;
};

using CallResult = std::expected<ClientResponse, CallFailure>;

class AsyncClient {
 public:
  struct Options {
    // What is beyond waits; waiting counts against the deadline.
    std::size_t connections_max = 1024;
    // A larger answer is a failure.
    std::size_t response_bytes_max = 256 * 1024;
  };

  // Used and destroyed on the thread of `executor`, whose io_context outlives it.
  AsyncClient(Executor executor, Options options);
  // Calls under way fail.
  ~AsyncClient();
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;

  // Done within request.timeout, with any status.
  Task<CallResult> send(ClientRequest request);

 private:
  const Executor executor_;
  const Options options_;
  std::shared_ptr<CurlLoop> loop_;
};

// What is wrong with the base address of a service, in words that do not repeat it: it may hold a password.
// Empty if it is an http or https URL with a host and without query and fragment.
std::string problem_of_base_url(const std::string& url);

}  // namespace switchyard::http
