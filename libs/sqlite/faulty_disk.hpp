// For tests: a disk whose write-ahead log fails.
#pragma once

#include <atomic>

#include <sqlite3.h>

namespace switchyard::sqlite {

// SQLite's own files, whose write-ahead log fails when it is told to. The default for all connections that
// are opened while it lives.
class FaultyDisk {
 public:
  enum class Fault { none, sync, write, full };

  FaultyDisk() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "faulty";
    vfs_.xOpen = open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FaultyDisk() {
    sqlite3_vfs_register(real_, 1);
    sqlite3_vfs_unregister(&vfs_);
    fault_ = Fault::none;
    writes_ = 0;
  }
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // The next `times` calls of this kind fail.
  static void fail(Fault fault, int times) {
    left_ = times;
    fault_ = fault;
  }
  // How often the log was written to since the last call of this.
  static int take_writes() { return writes_.exchange(0); }

 private:
  static bool fails(Fault fault) { return fault_ == fault && left_ > 0 && left_-- > 0; }

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    const int opened = real_->xOpen(real_, name, file, flags, out_flags);
    if (opened != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return opened;
    methods_of_log_ = file->pMethods;
    faulty_ = *methods_of_log_;
    faulty_.xSync = [](sqlite3_file* log, int how) {
      return fails(Fault::sync) ? SQLITE_IOERR_FSYNC : methods_of_log_->xSync(log, how);
    };
    faulty_.xWrite = [](sqlite3_file* log, const void* bytes, int size, sqlite3_int64 offset) {
      ++writes_;
      if (fails(Fault::write)) return SQLITE_IOERR_WRITE;
      if (fails(Fault::full)) return SQLITE_FULL;
      return methods_of_log_->xWrite(log, bytes, size, offset);
    };
    file->pMethods = &faulty_;
    return opened;
  }

  static inline sqlite3_vfs* real_ = nullptr;
  static inline const sqlite3_io_methods* methods_of_log_ = nullptr;
  static inline sqlite3_io_methods faulty_{};
  static inline std::atomic<Fault> fault_ = Fault::none;
  static inline std::atomic<int> left_ = 0;
  static inline std::atomic<int> writes_ = 0;
  sqlite3_vfs vfs_{};
};

}  // namespace switchyard::sqlite
