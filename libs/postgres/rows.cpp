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

std::int64_t Rows::changed() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

bool Row::is_null(int column) const {
  return PQgetisnull(result_, number_, column) != 0;
}

std::string_view Row::text(int column) const {
  return {PQgetvalue(result_, number_, column),
          static_cast<std::size_t>(PQgetlength(result_, number_, column))};
}

bool Row::boolean(int column) const {
  const auto value = text(column);
  SWITCHYARD_ASSERT(value.size() == 1);
  return value[0] != 0;
}

std::int64_t Row::integer(int column) const {
  const auto value = text(column);
  SWITCHYARD_ASSERT(value.size() == sizeof(std::int64_t));
  std::uint64_t number = 0;
  for (const char byte : value) number = number << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(number);
}

Timestamp Row::time(int column) const {
  return from_postgres(integer(column));
}

Uuid Row::uuid(int column) const {
  const auto value = text(column);
  Uuid uuid;
  SWITCHYARD_ASSERT(value.size() == uuid.bytes.size());
  std::ranges::copy(value, uuid.bytes.begin());
  return uuid;
}

}  // namespace switchyard::postgres
