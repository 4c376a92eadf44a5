#include "http/serialize.hpp"

#include <ctime>

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
  const auto append = [&out](const auto&... parts) { (out.append(parts), ...); };
  const auto number = [](auto value) { return fmt::format_int(value).str(); };
  append("HTTP/1.1 ", number(response.status), " ", reason_phrase(response.status), "\r\nDate: ", http_date(),
         "\r\nX-Request-Id: ", request_id, "\r\n");
  // "No Content" has no length either (RFC 9110, 8.6).
  if (response.status != 204) {
    append("Content-Type: ", std::string_view(response.content_type),
           "\r\nContent-Length: ", number(response.body.size()), "\r\n");
  }
  for (const auto& [name, value] : response.headers)
    append(std::string_view(name), ": ", std::string_view(value), "\r\n");
  append(keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
  if (with_body) out += response.body;
}

}  // namespace switchyard::http
