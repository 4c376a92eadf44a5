// A VFS (https://sqlite.org/vfs.html) that writes what a commit adds to the write-ahead log at once.
//
// SQLite makes two system calls for each page of a commit: one for the frame's header, one for the page. Here
// they are gathered, and written by one call when the log is synced, read, cut or looked at. Nobody misses
// them before: a frame is entered in the log's index, where all connections look for it, after the sync that
// ends its commit. Where commits are not synced (PRAGMA synchronous below FULL) that does not hold, so such a
// connection needs the system's own VFS.
//
// A write that fails is told by the call that made it necessary, for a commit the sync, with the code that
// the write had. What could not be written is forgotten: SQLite writes to the same place again.
#pragma once

namespace switchyard::sqlite {

// Its name, for sqlite3_open_v2. All else is done by the VFS that is the default when a file is opened.
const char* gathering_vfs();

}  // namespace switchyard::sqlite
