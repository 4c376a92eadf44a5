// A PSP's webhook: what its requests say. Pure.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "payment/notice.hpp"

namespace switchyard::psp {

using payment::Notice;

// What a request may have: an event of either PSP has a few thousand. 256 KiB.
inline constexpr std::size_t webhook_bytes_max = 256UL * 1024;

// Why a request is not believed: its signature, or what cannot be read. Never holds a secret.
struct EventRefusal {
  bool is_signature = true;
  std::string reason;
};

// A request as it came: its headers by name, whatever their case, and the raw bytes of its body.
struct WebhookRequest {
  std::function<std::string_view(std::string_view name)> header;
  std::string_view body;
};

// Immutable; safe to use from any thread.
class Webhook {
 public:
  virtual ~Webhook() = default;

  // All that the request says, or nothing of it. A body of more than webhook_bytes_max is not read.
  virtual std::expected<std::vector<Notice>, EventRefusal> read(const WebhookRequest& request,
                                                                Timestamp now) const = 0;
};

}  // namespace switchyard::psp
