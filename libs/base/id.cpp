#include "base/id.hpp"

#include <chrono>
#include <cstring>

#include <sys/random.h>

#include "base/assert.hpp"
#include "base/hex.hpp"

namespace switchyard {
namespace {

void fill_random(void* target, std::size_t size) {
  auto* bytes = static_cast<std::uint8_t*>(target);
  while (size > 0) {
    const ssize_t filled = ::getrandom(bytes, size, 0);
    SWITCHYARD_ASSERT(filled > 0);
    bytes += filled;
    size -= static_cast<std::size_t>(filled);
  }
}

// One system call for 256 ids instead of one for each.
std::uint64_t next_random() {
  thread_local std::array<std::uint64_t, 256> pool;
  thread_local std::size_t used = pool.size();
  if (used == pool.size()) {
    fill_random(pool.data(), sizeof(pool));
    used = 0;
  }
  return pool[used++];
}

constexpr bool hyphen_at(std::size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

}  // namespace

Uuid Uuid::generate() {
  using namespace std::chrono;
  const auto since_epoch = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
  const auto ms = static_cast<std::uint64_t>(since_epoch / 1'000'000);
  const auto fraction = static_cast<std::uint64_t>(since_epoch % 1'000'000) * 4096 / 1'000'000;
  const std::uint64_t high = (ms << 16) | 0x7000 | fraction;
  const std::uint64_t low = (next_random() & 0x3fff'ffff'ffff'ffff) | 0x8000'0000'0000'0000;

  Uuid uuid;
  for (std::size_t i = 0; i < 8; ++i) {
    uuid.bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    uuid.bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return uuid;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid uuid;
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (hyphen_at(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = hex_digit_value(text[i]);
    if (value < 0) return std::nullopt;
    auto& byte = uuid.bytes[nibble / 2];
    byte = static_cast<std::uint8_t>((byte << 4) | value);
    ++nibble;
  }
  return uuid;
}

std::string Uuid::to_string() const {
  std::string text(36, '-');
  char* out = text.data();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) ++out;
    *out++ = hex_digits[bytes[i] >> 4];
    *out++ = hex_digits[bytes[i] & 0xf];
  }
  return text;
}

std::string random_hex(std::size_t size) {
  std::string raw(size, '\0');
  fill_random(raw.data(), size);
  return to_hex(raw);
}

}  // namespace switchyard
