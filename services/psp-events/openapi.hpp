// The OpenAPI document of what this program serves, as it stands in docs/openapi/psp-events.json.
#pragma once

#include <string_view>

namespace switchyard::events {

extern const std::string_view openapi_document;

}  // namespace switchyard::events
