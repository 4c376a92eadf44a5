// Backups of a store in SQLite: one file that is consistent in itself. Blocks.
#pragma once

#include <cstdint>
#include <string>

namespace switchyard::cli {

struct Contents {
  std::int64_t schema_version = 0;
  std::int64_t transactions = 0;
  std::int64_t users = 0;

  friend bool operator==(const Contents&, const Contents&) = default;
};

// Writes what the store holds at one moment to `file`, which must not be there yet, for its owner only. Those
// who use the store go on and are not held up. The file is in its place only when it is whole and is synced,
// and both were checked, the store and the copy: the size of the file, each page and index, that all tables,
// columns and indexes of its schema version are there, and that no row lacks the one that it belongs to.
//
// Throws std::runtime_error with a line for the operator: no store, none of ours or of a newer version, one
// that is damaged, a file that cannot be written. Then nothing is left of it.
Contents back_up(const std::string& store, const std::string& file);

struct Restored {
  Contents contents;
  // Where the store that was replaced stands now, with what it holds; empty if there was none.
  std::string kept;
};

// Puts what the backup holds into the store, once the backup was checked as back_up() does; it stays as it
// is. What the store held is kept beside it, under another name. At each moment, also if this process is
// killed, the store holds the one or the other, whole; programs that open it meanwhile wait.
//
// Throws std::runtime_error, as back_up() does, and if a process has the store open. Then the store holds
// what it held.
Restored restore(const std::string& file, const std::string& store);

}  // namespace switchyard::cli
