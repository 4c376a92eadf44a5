#include "http/serialize.hpp"

#include <ctime>
#include <iterator>

#include <fmt/format.h>

namespace switchyard::http {
namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7), made once a second and thread.
std::string_view http_date() {
  thread_local std::time_t formatted_for = 0;
  thread_local char text[sizeof("Sun, 06 Nov 1994 08:49:37 GMT")];
  const std::time_t now = std::time(nullptr);
  if (now != formatted_for) {
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    formatted_for = now;
  }
  return {text, sizeof(text) - 1};
}

}  // namespace

void append_response(std::string& out, const Response& response, std::string_view request_id, bool keep_alive,
                     bool with_body) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\nDate: {}\r\nX-Request-Id: {}\r\n",
                 response.status, reason_phrase(response.status), http_date(), request_id);
  // "No Content" has no length either (RFC 9110, 8.6).
  if (response.status != 204)
    fmt::format_to(std::back_inserter(out), "Content-Type: {}\r\nContent-Length: {}\r\n",
                   response.content_type, response.body.size());
  for (const auto& [name, value] : response.headers)
    fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
  out += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  if (with_body) out += response.body;
}

}  // namespace switchyard::http
