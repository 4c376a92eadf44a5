// A statement and its parameters, encoded as PostgreSQL's binary format wants them (its types' receive
// functions; PostgreSQL 15, 55.2 "Message Flow").
//
// The SQL names each parameter's type with a cast ($1::bigint): that is what the encoding is read as.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/id.hpp"

namespace switchyard::postgres {

// The element type of an array parameter, by its number in pg_type.
enum class Type : std::uint32_t {
  boolean = 16,
  bytea = 17,
  bigint = 20,
  text = 25,
  timestamptz = 1184,
  uuid = 2950
};

// One column of many rows: an array for unnest().
class Column {
 public:
  explicit Column(Type type);

  void add(bool value);
  void add(std::int64_t value);
  void add(Timestamp value);
  void add(std::optional<Timestamp> value);
  void add(const Uuid& value);
  // Of a text or bytea column. Text must be UTF-8 without NUL: see storable_text().
  void add(std::string_view bytes);
  void add_null();

  // The whole parameter.
  std::string encoded() const;

 private:
  std::string elements_;
  Type type_;
  std::uint32_t count_ = 0;
  bool has_null_ = false;
};

class Statement {
 public:
  // With the values of its first parameters. `sql` must live as long as the program: connections prepare a
  // statement once and know it by its address.
  template <class... Values>
  explicit Statement(const char* sql, const Values&... values) : sql_(sql) {
    (bind(values), ...);
  }
  template <class... Values>
  explicit Statement(const std::string& sql, const Values&... values) : Statement(sql.c_str(), values...) {}
  template <class... Values>
  explicit Statement(std::string&& sql, const Values&... values) = delete;

  Statement& bind(bool value);
  Statement& bind(std::int64_t value);
  Statement& bind(Timestamp value);
  Statement& bind(const Uuid& value);
  Statement& bind(std::string_view bytes);
  Statement& bind(const char* text) = delete;  // it would be a bool
  Statement& bind(const Column& column);
  Statement& bind_null();
  template <class Value>
  Statement& bind(const std::optional<Value>& value) {
    return value ? bind(*value) : bind_null();
  }

  const char* sql() const { return sql_; }
  const std::vector<std::optional<std::string>>& parameters() const { return parameters_; }

 private:
  const char* sql_;
  std::vector<std::optional<std::string>> parameters_;
};

// Text that PostgreSQL can hold: what is no UTF-8, and NUL, become question marks. For the words of others,
// such as a PSP's reason, which must never keep an outcome from being saved.
std::string storable_text(std::string_view text);

// Between ours and PostgreSQL's: microseconds since 2000-01-01.
std::int64_t to_postgres(Timestamp time);
Timestamp from_postgres(std::int64_t microseconds);

}  // namespace switchyard::postgres
