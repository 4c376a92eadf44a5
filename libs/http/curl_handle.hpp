// libcurl's handles, freed by their owners, and what every request of ours sets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <curl/curl.h>

#include "http/client.hpp"

namespace switchyard::http {

struct CloseCurl {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CloseCurl>;
using CurlHeaders = std::unique_ptr<curl_slist, CloseCurl>;

// Initialises libcurl at the first call; empty if that failed.
CurlHandle make_curl_handle();

CurlHeaders make_curl_headers(const std::vector<std::string>& lines);

// Method, address, headers and body, http and https only, no redirects, no signals. Request and headers
// outlive the transfer: nothing is copied.
void set_request(CURL* handle, const ClientRequest& request, curl_slist* headers);

}  // namespace switchyard::http
