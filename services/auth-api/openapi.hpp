// The OpenAPI document of what this program serves, as it stands in docs/openapi/auth-api.json.
#pragma once

#include <string_view>

namespace switchyard::auth {

extern const std::string_view openapi_document;

}  // namespace switchyard::auth
