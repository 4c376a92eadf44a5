// What one statement returned, in PostgreSQL's binary format. Reading a column as another type than the
// statement gives is a bug and fails an assertion.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <string_view>

#include "base/clock.hpp"
#include "base/id.hpp"

struct pg_result;

namespace switchyard::postgres {

// One row; valid as long as its Rows.
class Row {
 public:
  Row(const pg_result* result, int number) : result_(result), number_(number) {}

  bool is_null(int column) const;
  bool boolean(int column) const;
  std::int64_t integer(int column) const;
  Timestamp time(int column) const;
  std::optional<Timestamp> optional_time(int column) const {
    return is_null(column) ? std::nullopt : std::optional(time(column));
  }
  Uuid uuid(int column) const;
  // Or the bytes of a bytea.
  std::string_view text(int column) const;

 private:
  const pg_result* result_;
  int number_;
};

class Rows {
 public:
  explicit Rows(pg_result* result) : result_(result) {}

  int size() const;
  // Rows that an INSERT, UPDATE or DELETE changed.
  std::int64_t changed() const;

  Row operator[](int number) const { return {result_.get(), number}; }
  // For a loop over them.
  auto all() const {
    return std::views::iota(0, size()) |
           std::views::transform([this](int number) { return (*this)[number]; });
  }

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace switchyard::postgres
