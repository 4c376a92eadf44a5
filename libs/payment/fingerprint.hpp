// SHA-256, to tell whether two requests are the same without keeping them.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::payment {

// 32 bytes. Safe to call from any thread.
std::string fingerprint(std::string_view bytes);

}  // namespace switchyard::payment
