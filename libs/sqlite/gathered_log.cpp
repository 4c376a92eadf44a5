#include "sqlite/gathered_log.hpp"

#include <cstring>
#include <memory>
#include <new>

#include <sqlite3.h>

#include "base/assert.hpp"

namespace switchyard::sqlite {
namespace {

// Some thirty pages. A commit that is larger takes more than one call. SQLite's own VFS looks at no more than
// the last 17 bits of a size (seekAndWriteFd in its os_unix.c): of 128 KiB it would write nothing.
constexpr sqlite3_int64 gathered_max = 0x1ffff;

// SQLite gives the memory, of szOsFile bytes; the file of the default VFS lies behind this.
struct Log {
  sqlite3_file base;
  // Null until the first write: most connections only read.
  char* gathered;
  sqlite3_int64 size;
  // Where in the file the first of them belongs.
  sqlite3_int64 offset;

  sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods& real() { return *file()->pMethods; }

  int write_gathered() {
    if (size == 0) return SQLITE_OK;
    const auto written = real().xWrite(file(), gathered, static_cast<int>(size), offset);
    size = 0;
    return written;
  }

  int write(const void* bytes, int count, sqlite3_int64 to) {
    const bool goes_on = to == offset + size && size + count <= gathered_max;
    if (!goes_on) {
      if (const int written = write_gathered(); written != SQLITE_OK) return written;
    }
    if (gathered == nullptr) gathered = new (std::nothrow) char[gathered_max];
    if (gathered == nullptr || count > gathered_max) return real().xWrite(file(), bytes, count, to);
    if (size == 0) offset = to;
    std::memcpy(gathered + size, bytes, static_cast<std::size_t>(count));
    size += count;
    return SQLITE_OK;
  }
};

Log& log_of(sqlite3_file* file) {
  return *reinterpret_cast<Log*>(file);
}

// The method of the default VFS, once all that was gathered is written.
template <auto method, class... Arguments>
int after_writing(sqlite3_file* file, Arguments... arguments) {
  auto& log = log_of(file);
  if (const int written = log.write_gathered(); written != SQLITE_OK) return written;
  return (log.real().*method)(log.file(), arguments...);
}

template <auto method, class... Arguments>
int at_once(sqlite3_file* file, Arguments... arguments) {
  auto& log = log_of(file);
  return (log.real().*method)(log.file(), arguments...);
}

int close(sqlite3_file* file) {
  auto& log = log_of(file);
  const int written = log.write_gathered();
  const int closed = log.real().xClose(log.file());
  delete[] log.gathered;
  return written != SQLITE_OK ? written : closed;
}

// Version 1: a log is neither mapped nor has it an index of its own.
constexpr sqlite3_io_methods methods_of_log{
    .iVersion = 1,
    .xClose = close,
    .xRead = after_writing<&sqlite3_io_methods::xRead>,
    .xWrite = [](sqlite3_file* file, const void* bytes, int count,
                 sqlite3_int64 to) { return log_of(file).write(bytes, count, to); },
    .xTruncate = after_writing<&sqlite3_io_methods::xTruncate>,
    .xSync = after_writing<&sqlite3_io_methods::xSync>,
    .xFileSize = after_writing<&sqlite3_io_methods::xFileSize>,
    .xLock = at_once<&sqlite3_io_methods::xLock>,
    .xUnlock = at_once<&sqlite3_io_methods::xUnlock>,
    .xCheckReservedLock = at_once<&sqlite3_io_methods::xCheckReservedLock>,
    .xFileControl = after_writing<&sqlite3_io_methods::xFileControl>,
    .xSectorSize = at_once<&sqlite3_io_methods::xSectorSize>,
    .xDeviceCharacteristics = at_once<&sqlite3_io_methods::xDeviceCharacteristics>,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  auto* const vfs = sqlite3_vfs_find(nullptr);
  if ((flags & SQLITE_OPEN_WAL) == 0) return vfs->xOpen(vfs, name, file, flags, flags_out);
  auto* const log = std::construct_at(reinterpret_cast<Log*>(file));
  const int opened = vfs->xOpen(vfs, name, log->file(), flags, flags_out);
  // Whoever sets no methods is not closed.
  if (log->file()->pMethods != nullptr) log->base.pMethods = &methods_of_log;
  return opened;
}

sqlite3_vfs made_of_default() {
  sqlite3_vfs vfs = *sqlite3_vfs_find(nullptr);
  vfs.zName = "switchyard-gathering";
  vfs.szOsFile += static_cast<int>(sizeof(Log));
  vfs.xOpen = open;
  return vfs;
}

}  // namespace

const char* gathering_vfs() {
  static sqlite3_vfs vfs = made_of_default();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  SWITCHYARD_ASSERT(registered == SQLITE_OK);
  return vfs.zName;
}

}  // namespace switchyard::sqlite
