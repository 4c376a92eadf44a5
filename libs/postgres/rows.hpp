// What one statement returned, in PostgreSQL's binary format. Reading a column as another type than the
// statement gives is a bug and fails an assertion.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.hpp"
#include "base/id.hpp"

struct pg_result;

namespace switchyard::postgres {

class Rows {
 public:
  explicit Rows(pg_result* result) : result_(result) {}

  int size() const;
  int columns() const;
  // Rows that an INSERT, UPDATE or DELETE changed.
  std::int64_t changed() const;

  bool is_null(int row, int column) const;
  bool boolean(int row, int column) const;
  std::int64_t integer(int row, int column) const;
  Timestamp timestamp(int row, int column) const;
  Uuid uuid(int row, int column) const;
  // Text or bytea; valid as long as this object.
  std::string_view bytes(int row, int column) const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace switchyard::postgres
