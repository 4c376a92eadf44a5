// An HTTP/1.1 client on one io thread: any number of calls under way, each with a deadline, over connections
// that are kept. No redirects, no proxy, no authentication but what the URL holds, answers of a bounded size.
//
// A request goes out once at most. libcurl by itself would send it again when a kept connection turns out
// dead, whether or not the first one arrived, and could then fail in a way that looks as if nothing had ever
// been sent; here it is stopped before the second time.
#pragma once

#include <memory>

#include "base/task.hpp"
#include "http/client.hpp"

namespace switchyard::http {

class CurlLoop;

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
