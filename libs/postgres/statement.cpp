#include "postgres/statement.hpp"

#include <algorithm>
#include <bit>

#include "base/utf8.hpp"

namespace switchyard::postgres {
namespace {

constexpr std::chrono::sys_days epoch = std::chrono::year(2000) / 1 / 1;

template <class Integer>
void append_big_endian(std::string& out, Integer value) {
  for (int shift = static_cast<int>(sizeof(Integer)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

std::string encode(bool value) {
  return std::string(1, value ? '\1' : '\0');
}
std::string encode(std::int64_t value) {
  std::string out;
  append_big_endian(out, static_cast<std::uint64_t>(value));
  return out;
}
std::string encode(Timestamp value) {
  return encode(to_postgres(value));
}
std::string encode(const Uuid& value) {
  return {value.bytes.begin(), value.bytes.end()};
}

void append_element(std::string& out, std::string_view bytes) {
  append_big_endian(out, static_cast<std::uint32_t>(bytes.size()));
  out += bytes;
}

}  // namespace

Column::Column(Type type) : type_(type) {}

void Column::add(bool value) {
  append_element(elements_, encode(value));
  ++count_;
}
void Column::add(std::int64_t value) {
  append_element(elements_, encode(value));
  ++count_;
}
void Column::add(Timestamp value) {
  append_element(elements_, encode(value));
  ++count_;
}
void Column::add(std::optional<Timestamp> value) {
  if (value) return add(*value);
  add_null();
}
void Column::add(const Uuid& value) {
  append_element(elements_, encode(value));
  ++count_;
}
void Column::add(std::string_view bytes) {
  append_element(elements_, bytes);
  ++count_;
}
void Column::add_null() {
  append_big_endian(elements_, std::uint32_t{0xffffffff});
  ++count_;
  has_null_ = true;
}

// Dimensions, whether there are nulls, element type; per dimension its size and lower bound (array_recv).
std::string Column::encoded() const {
  std::string out;
  append_big_endian(out, std::uint32_t{count_ == 0 ? 0U : 1U});
  append_big_endian(out, std::uint32_t{has_null_ ? 1U : 0U});
  append_big_endian(out, static_cast<std::uint32_t>(type_));
  if (count_ == 0) return out;
  append_big_endian(out, count_);
  append_big_endian(out, std::uint32_t{1});
  return out + elements_;
}

Statement& Statement::bind(bool value) {
  parameters_.emplace_back(encode(value));
  return *this;
}
Statement& Statement::bind(std::int64_t value) {
  parameters_.emplace_back(encode(value));
  return *this;
}
Statement& Statement::bind(Timestamp value) {
  parameters_.emplace_back(encode(value));
  return *this;
}
Statement& Statement::bind(const Uuid& value) {
  parameters_.emplace_back(encode(value));
  return *this;
}
Statement& Statement::bind(std::string_view bytes) {
  parameters_.emplace_back(std::string(bytes));
  return *this;
}
Statement& Statement::bind(const Column& column) {
  parameters_.emplace_back(column.encoded());
  return *this;
}
Statement& Statement::bind_null() {
  parameters_.emplace_back(std::nullopt);
  return *this;
}

std::string storable_text(std::string_view text) {
  auto out = as_utf8(text);
  std::ranges::replace(out, '\0', '?');
  return out;
}

std::int64_t to_postgres(Timestamp time) {
  return std::chrono::microseconds(time - epoch).count();
}

Timestamp from_postgres(std::int64_t microseconds) {
  return epoch + std::chrono::floor<std::chrono::milliseconds>(std::chrono::microseconds(microseconds));
}

}  // namespace switchyard::postgres
