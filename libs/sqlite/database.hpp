// A SQLite connection and its prepared statements, closed by their destructors.
//
// Belongs to one thread at a time. Failures throw DatabaseError: a lane (lane.hpp) turns them into results.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/id.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace switchyard::sqlite {

class DatabaseError : public std::runtime_error {
 public:
  DatabaseError(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  // SQLite's extended result code.
  int code() const { return code_; }

 private:
  int code_;
};

// Whether a commit that returned is on the disk platter, or only with the operating system: the latter
// survives the death of the process, not of the machine.
enum class Durability { synced, process };

enum class Access {
  // Leaves the file as it is, down to its journal mode. Works on a disk that is full or read-only, too. Fails
  // with SQLITE_READONLY_ROLLBACK where a process that was killed has left a write half done.
  read_only,
  // The same, but undoes what is half done.
  recover,
  // Fails if there is no file.
  existing,
  create,
  // A new one that is on no disk: the path is only its name.
  in_memory,
};

// A file as the system knows it, whatever its name.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  friend bool operator==(const FileId&, const FileId&) = default;
};

// One use of a prepared statement: bind in order, step, read columns. Resets it when it goes.
class Query {
 public:
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // A time is stored as milliseconds since 1970, a UUID as its 16 bytes. Text, blob and UUID must live until
  // the query ends.
  Query& bind(std::int64_t value);
  Query& bind(std::same_as<bool> auto value) { return bind(std::int64_t{value}); }
  Query& bind(Timestamp value) { return bind(value.time_since_epoch().count()); }
  Query& bind(std::string_view text);
  Query& bind(const Uuid& value);
  Query& bind_blob(std::string_view bytes);
  Query& bind_null();
  template <class Value>
  Query& bind(const std::optional<Value>& value) {
    return value ? bind(*value) : bind_null();
  }
  template <class... Values>
    requires(sizeof...(Values) > 1)
  Query& bind(const Values&... values) {
    (bind(values), ...);
    return *this;
  }
  // The statement does not ask for the next one.
  Query& skip() {
    ++bound_;
    return *this;
  }

  // True while there is a row.
  bool step();
  // For statements without rows.
  void run() { step(); }

  std::int64_t integer(int column) const;
  bool boolean(int column) const { return integer(column) != 0; }
  Timestamp time(int column) const { return Timestamp(std::chrono::milliseconds(integer(column))); }
  std::optional<Timestamp> optional_time(int column) const {
    return is_null(column) ? std::nullopt : std::optional(time(column));
  }
  Uuid uuid(int column) const;
  bool is_null(int column) const;
  // Valid until the next step.
  std::string_view text(int column) const;
  std::string_view blob(int column) const { return text(column); }

 private:
  void check(int code);

  sqlite3_stmt* statement_;
  int bound_ = 0;
};

class Database {
 public:
  // Opens the file, in WAL mode unless it is only read. A path is a path: what SQLite would take for another
  // notation ("file:x?mode=memory", ":memory:") is the name of a file. Throws DatabaseError whose message
  // names the file. With Access::create it is for its owner only, whatever the umask and whoever made it; one
  // that is made here belongs to the owner of its folder.
  Database(const std::string& path, Durability durability, Access access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // The statement is prepared at its first use and kept; `sql` must be a literal, its address is the key.
  Query query(const char* sql);
  // Runs statements that return nothing.
  void execute(const char* sql);
  std::int64_t integer(const char* sql);

  // Rows the last statement changed.
  std::int64_t changes() const;
  bool in_transaction() const;
  // Throws if the file, its log or the log's index is no longer at its path: what is written now is seen by
  // nobody who opens the file next. Call it in a transaction, in which all three are there.
  void require_in_place();
  // Writes the bytes of the write-ahead log once more and syncs them, while this connection holds the write
  // lock. After a sync that failed, the system may take pages for written that are not.
  void rewrite_log() const;

  // Brings the log into the file and keeps all other connections out until this one is closed: whoever opens
  // the file meanwhile waits. False if another connection is open. From then on writes go into the file
  // itself, with a rollback journal.
  bool lock_out_others();
  // Every page becomes that of `source`, in one commit. Not if this database's journal mode is WAL and the
  // sizes of pages differ.
  void become(Database& source);

  const std::string& path() const { return path_; }
  Durability durability() const { return durability_; }
  FileId file() const { return file_; }
  sqlite3* handle() const { return handle_.get(); }

 private:
  void open_file(const char* name, int flags);
  void read_alone_if_need_be();

  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  // What SQLite keeps beside the file while it is open, and makes with the first read.
  struct Beside {
    std::string path;
    // Empty until it was seen.
    std::optional<FileId> file;
  };

  std::string path_;
  Durability durability_;
  FileId file_;
  Beside log_;
  Beside index_;
  std::unique_ptr<sqlite3, Close> handle_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

// The file at `path` is not the one that was opened.
[[noreturn]] void throw_moved(const std::string& path);

// Whether the error is a lock of another connection.
bool is_busy(const DatabaseError& error);

// Calls `open` again while it fails for the lock of another process that is starting, too, for a few seconds.
// SQLite does not wait by itself where it switches a new file to its write-ahead log.
template <class Open>
auto open_patiently(Open open) {
  for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);;) {
    try {
      return open();
    } catch (const DatabaseError& error) {
      if (!is_busy(error) || std::chrono::steady_clock::now() > until) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace switchyard::sqlite
