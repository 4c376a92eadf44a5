// Rows that are locked, decided about and written in one transaction; included by PostgresStore's own sources
// only.
#pragma once

#include "store/postgres/run.hpp"

namespace switchyard::store {

// One take, from the lock to what is written; each try begins with lock().
class PostgresStore::Taking {
 public:
  virtual ~Taking() = default;
  virtual Statements lock() = 0;
  // What is to be read of what has been locked, if anything: a statement of its own sees what was committed
  // before the locks were had.
  virtual Statements read_more(const RowSets&) { return {}; }
  // What is to be written. What was locked stands behind the rows of BEGIN.
  virtual Statements decide(const RowSets& locked, const RowSets& more) = 0;
};

}  // namespace switchyard::store
