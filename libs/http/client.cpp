#include "http/client.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "http/characters.hpp"
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

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

// libcurl sends no header for a line without a value, and takes one of its own away.
bool is_header_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
  const auto value = line.substr(colon + 1);
  return !without_blanks_around(value).empty() && std::ranges::all_of(value, is_value_character);
}

}  // namespace

std::string problem_of(const ClientRequest& request) {
  const auto is_graphic = [](char c) { return c != ' ' && c != '\t' && is_value_character(c); };
  if (!is_token(request.method)) return "the method of the request is no word";
  if (request.url.empty() || !std::ranges::all_of(request.url, is_graphic)) {
    return "the address of the request is empty or holds a blank or a control character";
  }
  if (!std::ranges::all_of(request.headers, is_header_line)) {
    return "a header of the request is empty or holds a control character";
  }
  return {};
}

CallResult send(const ClientRequest& request) {
  if (auto problem = problem_of(request); !problem.empty()) {
    return std::unexpected(CallFailure{.perhaps_sent = false, .reason = std::move(problem)});
  }
  const auto curl = make_curl_handle();
  if (!curl) {
    return std::unexpected(CallFailure{.perhaps_sent = false, .reason = "libcurl cannot be initialised"});
  }

  const auto headers = make_curl_headers(request.headers);
  ClientResponse response;
  set_request(curl.get(), request, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &response.body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    long sent_bytes = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_REQUEST_SIZE, &sent_bytes);
    return std::unexpected(
        CallFailure{.perhaps_sent = sent_bytes > 0,
                    .reason = fmt::format("{}: {}", request.url, curl_easy_strerror(code))});
  }
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &response.status);
  return response;
}

}  // namespace switchyard::http
