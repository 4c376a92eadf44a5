#include "psp/stripe/signature.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/hex.hpp"

namespace switchyard::psp::stripe {
namespace {

// Two secrets at once are the most that Stripe knows: more is somebody who lets us compute.
constexpr std::size_t header_bytes_max = 2048;
constexpr std::size_t signatures_max = 8;

struct SignatureHeader {
  // As it was sent: it is signed in this form.
  std::string_view time;
  // Bytes.
  std::vector<std::string> signatures;
};

std::optional<SignatureHeader> read_header(std::string_view header) {
  if (header.size() > header_bytes_max) return std::nullopt;
  SignatureHeader read;
  while (!header.empty()) {
    const auto item = header.substr(0, header.find(','));
    header.remove_prefix(std::min(item.size() + 1, header.size()));
    if (item.starts_with("t=")) {
      if (!read.time.empty()) return std::nullopt;
      read.time = item.substr(2);
    } else if (item.starts_with("v1=") && read.signatures.size() < signatures_max) {
      auto bytes = bytes_of_hex(item.substr(3));
      if (bytes && bytes->size() == token::HmacSha256::size_bytes)
        read.signatures.push_back(std::move(*bytes));
    }
  }
  return read;
}

std::optional<std::chrono::sys_seconds> read_time(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  // Far from where adding a tolerance would overflow.
  constexpr std::int64_t seconds_max = 1LL << 40;
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  if (!is_whole || seconds < 0 || seconds > seconds_max) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

}  // namespace

std::string_view why_not_signed(const std::vector<token::HmacSha256>& keys, std::string_view header,
                                std::string_view body, Timestamp now) {
  if (keys.empty()) return "no secret of the webhook is set";
  if (header.empty()) return "it has no Stripe-Signature";
  const auto read = read_header(header);
  const auto time = read ? read_time(read->time) : std::nullopt;
  if (!time) return "its Stripe-Signature cannot be read";
  if (read->signatures.empty()) return "its Stripe-Signature has no signature of scheme v1";
  std::string signed_text(read->time);
  signed_text.append(".").append(body);
  bool is_signed = false;
  for (const auto& key : keys) {
    for (const auto& signature : read->signatures) is_signed |= key.verify(signed_text, signature);
  }
  if (!is_signed) return "its signature is not under our secret";
  const auto age = std::chrono::floor<std::chrono::seconds>(now) - *time;
  if (age > signature_tolerance) return "its signature is older than 300 s";
  if (age < -signature_tolerance) return "its signature is of a time to come";
  return {};
}

}  // namespace switchyard::psp::stripe
