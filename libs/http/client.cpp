#include "http/client.hpp"

#include <fmt/format.h>

#include "http/curl_handle.hpp"

namespace switchyard::http {
namespace {

constexpr std::size_t response_bytes_max = 16 * 1024 * 1024;

std::size_t append(char* bytes, std::size_t, std::size_t count, void* target) {
  auto& body = *static_cast<std::string*>(target);
  if (body.size() + count > response_bytes_max) return 0;
  body.append(bytes, count);
  return count;
}

}  // namespace

Result<ClientResponse> send(const ClientRequest& request) {
  const auto curl = make_curl_handle();
  if (!curl) return fail(ErrorCode::overloaded, "libcurl cannot be initialised");

  const auto headers = make_curl_headers(request.headers);
  ClientResponse response;
  set_request(curl.get(), request, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &response.body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", request.url, curl_easy_strerror(code)));
  }
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &response.status);
  return response;
}

}  // namespace switchyard::http
