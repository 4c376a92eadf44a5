#include "postgres/rows.hpp"

#include <algorithm>
#include <charconv>

#include <libpq-fe.h>

#include "base/assert.hpp"
#include "postgres/statement.hpp"

namespace switchyard::postgres {

void Rows::Clear::operator()(pg_result* result) const {
  PQclear(result);
}

int Rows::size() const {
  return PQntuples(result_.get());
}

int Rows::columns() const {
  return PQnfields(result_.get());
}

std::int64_t Rows::changed() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

bool Rows::is_null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Rows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

bool Rows::boolean(int row, int column) const {
  const auto value = bytes(row, column);
  SWITCHYARD_ASSERT(value.size() == 1);
  return value[0] != 0;
}

std::int64_t Rows::integer(int row, int column) const {
  const auto value = bytes(row, column);
  SWITCHYARD_ASSERT(value.size() == sizeof(std::int64_t));
  std::uint64_t number = 0;
  for (const char byte : value) number = number << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(number);
}

Timestamp Rows::timestamp(int row, int column) const {
  return from_postgres(integer(row, column));
}

Uuid Rows::uuid(int row, int column) const {
  const auto value = bytes(row, column);
  Uuid uuid;
  SWITCHYARD_ASSERT(value.size() == uuid.bytes.size());
  std::ranges::transform(value, uuid.bytes.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return uuid;
}

}  // namespace switchyard::postgres
