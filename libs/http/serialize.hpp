// A response as bytes.
#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"

namespace switchyard::http {

// Appends status line, header and, with `with_body`, the body.
void append_response(std::string& out, const Response& response, std::string_view request_id, bool keep_alive,
                     bool with_body);

}  // namespace switchyard::http
