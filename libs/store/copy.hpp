// Moves a SQLite store into PostgreSQL: for those who outgrow one machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace switchyard::store {

struct CopiedTable {
  std::string name;
  // In all, and those that this run copied: the rest was there from an earlier one.
  std::int64_t rows = 0;
  std::int64_t copied_now = 0;
};

struct CopyOptions {
  // Forget what an unfinished copy has left and begin again.
  bool restart = false;
  // Called after each batch.
  std::function<void(const CopiedTable&)> on_progress;
};

// Copies everything but failed logins, whose windows end in minutes; compares counts and sums of both sides,
// and only then lets services use the database. One that is interrupted goes on where it was; until it is
// finished no service starts over the database. The SQLite file is locked against writing meanwhile and left
// as it is. Rows that this version cannot read go over as they are. The source must be
// of this version.
//
// Throws std::runtime_error or sqlite::DatabaseError with a line for the operator: a source that is in use, a
// destination that holds other data, sums that differ. Blocks.
std::vector<CopiedTable> copy_sqlite_to_postgres(const std::string& sqlite_path,
                                                 const std::string& postgres_url, const CopyOptions& options);

}  // namespace switchyard::store
