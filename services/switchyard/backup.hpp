// Backups of a store in SQLite: one file that is consistent in itself. Blocks.
#pragma once

#include <cstdint>
#include <string>

namespace switchyard::cli {

struct Contents {
  std::int64_t schema_version = 0;
  std::int64_t transactions = 0;
  std::int64_t users = 0;
};

// Writes what the store holds at one moment to `file`, which must not be there yet, for its owner only. Those
// who use the store go on and are not held up. The file is in its place only when it is whole, was checked
// page by page, and is synced.
//
// Throws std::runtime_error with a line for the operator: no store, none of ours or of a newer version, one
// that is damaged, a file that cannot be written. Then nothing is left of it.
Contents back_up(const std::string& store, const std::string& file);

struct Restored {
  Contents contents;
  // Where the store that was replaced stands now, with what it holds; empty if there was none.
  std::string kept;
};

// Puts a copy of the backup in the place of the store, checked as back_up() does; the backup stays as it is.
// A store that is there stays beside it, under another name; at each moment one of the two is in place.
//
// Throws std::runtime_error, as back_up() does, and if a process has the store open. Then the store is as it
// was.
Restored restore(const std::string& file, const std::string& store);

}  // namespace switchyard::cli
