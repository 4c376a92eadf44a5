#include "http/curl_handle.hpp"

namespace switchyard::http {

CurlHandle make_curl_handle() {
  static const bool initialised = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return CurlHandle(initialised ? curl_easy_init() : nullptr);
}

CurlHeaders make_curl_headers(const std::vector<std::string>& lines) {
  CurlHeaders headers;
  for (const auto& line : lines) headers.reset(curl_slist_append(headers.release(), line.c_str()));
  return headers;
}

void set_request(CURL* handle, const ClientRequest& request, curl_slist* headers) {
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  if (!request.body.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
}

}  // namespace switchyard::http
