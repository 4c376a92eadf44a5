#include "psp/adyen/names.hpp"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/hex.hpp"
#include "payment/fingerprint.hpp"

namespace switchyard::psp::adyen {
namespace {

constexpr std::size_t header_key_characters_max = 64;
// Of the 80, so that a suffix fits.
constexpr std::size_t reference_characters_max = 72;
constexpr std::string_view cancel_suffix = "_cancel";
constexpr std::string_view cancel_key_suffix = "-cancel";

// What our keys are made of, and what can be mapped back.
bool is_plain(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

// "<merchant>-<reference>-<number>" of payment/psp_keys.hpp; empty of any other key.
std::string transaction_reference_in(std::string_view key) {
  const auto first = key.find('-');
  const auto last = key.rfind('-');
  if (first == std::string_view::npos || last <= first + 1) return {};
  const auto merchant = key.substr(0, first);
  const auto number = key.substr(last + 1);
  const bool is_numbered = !merchant.empty() && !number.empty() && std::ranges::all_of(merchant, is_digit) &&
                           std::ranges::all_of(number, is_digit);
  return is_numbered ? std::string(key.substr(first + 1, last - first - 1)) : std::string();
}

}  // namespace

std::string reference_of(std::string_view idempotency_key) {
  if (!is_plain(idempotency_key) || idempotency_key.size() > reference_characters_max) {
    return to_hex(payment::fingerprint(idempotency_key));
  }
  std::string reference(idempotency_key);
  std::ranges::replace(reference, '-', '_');
  return reference;
}

std::string header_key_of(std::string_view idempotency_key) {
  if (!is_plain(idempotency_key) || idempotency_key.size() > header_key_characters_max) {
    return to_hex(payment::fingerprint(idempotency_key));
  }
  return std::string(idempotency_key);
}

std::string cancel_reference_of(std::string_view idempotency_key) {
  return reference_of(idempotency_key).append(cancel_suffix);
}

std::string cancel_header_key_of(std::string_view idempotency_key) {
  return header_key_of(std::string(idempotency_key).append(cancel_key_suffix));
}

Named read_reference(std::string_view reference) {
  Named named;
  const auto is_ours = [](char c) { return is_alphanumeric(c) || c == '_'; };
  if (!std::ranges::all_of(reference, is_ours)) return named;
  if (reference.ends_with(cancel_suffix)) {
    named.is_cancel = true;
    reference.remove_suffix(cancel_suffix.size());
  }
  named.idempotency_key = reference;
  std::ranges::replace(named.idempotency_key, '_', '-');
  named.transaction_reference = transaction_reference_in(named.idempotency_key);
  return named;
}

}  // namespace switchyard::psp::adyen
