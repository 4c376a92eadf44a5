// Whether a process has a database in WAL mode open.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

namespace switchyard::sqlite {

// One of the processes that have the database open, nothing if none has, or only this one. A process of
// another namespace shows as 0. Throws std::runtime_error with a line for the operator where that cannot be
// seen.
//
// Asks for the lock that each connection in WAL mode holds on the log's index while it is open: byte 128 of
// the file -shm, the "dead man's switch" (UNIX_SHM_DMS in SQLite's os_unix.c), beside the locks 120 to 127
// that https://sqlite.org/walformat.html lists. Call it while this process has no connection to the database:
// POSIX drops all of a process's locks on a file when it closes any descriptor of it.
std::optional<pid_t> process_that_uses(const std::string& path);

}  // namespace switchyard::sqlite
