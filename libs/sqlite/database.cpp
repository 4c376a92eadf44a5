#include "sqlite/database.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "sqlite/gathered_log.hpp"

namespace switchyard::sqlite {
namespace {

constexpr int lookaside_bytes = 512;
constexpr int lookaside_slots = 1024;

// How long a writer waits for another process's commit.
constexpr int busy_wait_ms_max = 5'000;
constexpr int busy_pause_us = 500;

// SQLite's own handler backs off to 100 ms, which starves one of two busy writers. Commits take well under a
// millisecond here, so short even pauses are fair and cost little.
int wait_for_lock(void*, int tries) {
  if (tries >= busy_wait_ms_max * 1000 / busy_pause_us) return 0;
  const timespec pause{.tv_sec = 0, .tv_nsec = busy_pause_us * 1000};
  ::nanosleep(&pause, nullptr);
  return 1;
}

// Before the first connection only.
void configure_sqlite() {
  // SQLite would count all that it allocates under one lock of the process, and nobody asks for the sum.
  static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  // Debian's SQLite takes a path that begins with "file:" for a URI, also in VACUUM INTO.
  static const int without_uris = sqlite3_config(SQLITE_CONFIG_URI, 0);
  SWITCHYARD_ASSERT(uncounted == SQLITE_OK && without_uris == SQLITE_OK);
}

// As SQLite is given it: ":memory:" and the like are files, too.
std::string name_of_file(const std::string& path) {
  if (path.empty()) throw DatabaseError(SQLITE_CANTOPEN, "the name of a file is empty");
  return path.starts_with(':') ? "./" + path : path;
}

std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", static_cast<unsigned>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

bool is_empty_or_missing(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) != 0 ? errno == ENOENT : status.st_size == 0;
}

[[noreturn]] void raise(sqlite3* handle, const std::string& path) {
  const int code = handle != nullptr ? sqlite3_extended_errcode(handle) : SQLITE_NOMEM;
  const char* message = handle != nullptr ? sqlite3_errmsg(handle) : "out of memory";
  throw DatabaseError(code, fmt::format("{}: {}", path, message));
}

// Asks for nothing but the file's number: a kernel with multigrain timestamps (since 6.13) gives a file whose
// times were asked for new ones at its next write, and then a sync has its inode to write, too.
std::optional<FileId> file_at(const std::string& path) {
  struct statx status{};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_INO, &status) != 0) return std::nullopt;
  return FileId{::makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino};
}

[[noreturn]] void raise_system(int code, const std::string& path, const char* what) {
  throw DatabaseError(code, fmt::format("{}: {}: {}", path, what, std::generic_category().message(errno)));
}

// The same of a file that must be there.
FileId require_file_at(const std::string& path) {
  if (const auto file = file_at(path)) return *file;
  if (errno == ENOENT) throw_moved(path);
  raise_system(SQLITE_CANTOPEN, path, "cannot be found");
}

// Of the write-ahead log, which SQLite takes no locks on.
class LogFile {
 public:
  explicit LogFile(const std::string& path) : path_(path), fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0) raise_system(SQLITE_IOERR_READ, path_, "cannot be opened");
  }
  ~LogFile() { ::close(fd_); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  void rewrite() {
    for (off_t offset = 0;;) {
      const auto got = ::pread(fd_, buffer_.data(), buffer_.size(), offset);
      if (got < 0) raise_system(SQLITE_IOERR_READ, path_, "cannot be read");
      if (got == 0) break;
      if (::pwrite(fd_, buffer_.data(), static_cast<std::size_t>(got), offset) != got) {
        raise_system(SQLITE_IOERR_WRITE, path_, "cannot be written");
      }
      offset += got;
    }
    if (::fdatasync(fd_) != 0) raise_system(SQLITE_IOERR_FSYNC, path_, "cannot be synced");
  }

 private:
  const std::string& path_;
  int fd_;
  std::array<char, 65536> buffer_;
};

// Size of the page cache of a connection, in KiB; negative is SQLite's notation for KiB.
constexpr const char* settings_common = R"(
  PRAGMA journal_mode = WAL;
  PRAGMA cache_size = -8192;
  PRAGMA temp_store = MEMORY;
  PRAGMA wal_autocheckpoint = 0;
  PRAGMA journal_size_limit = 67108864;
)";

// A new file, for its owner only from its first moment, and not for root but for the owner of its folder: a
// command that root runs before a service's first start must not leave what the service cannot write. SQLite
// gives -wal and -shm the owner and mode of the file.
void create_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  // There already, or it cannot be, and SQLite says why.
  if (file < 0) return;
  struct stat folder{};
  const auto parent = std::filesystem::absolute(path).parent_path();
  if (::geteuid() == 0 && ::stat(parent.c_str(), &folder) == 0) {
    // Where root may not, in some containers, the file stays root's, as it would have been.
    static_cast<void>(::fchown(file, folder.st_uid, folder.st_gid) == 0);
  }
  ::close(file);
}

// Takes from all but the owner what they may do with the file. By its name: to close a descriptor of it would
// drop SQLite's locks.
void close_to_others(const std::string& path) {
  constexpr mode_t others = S_IRWXG | S_IRWXO;
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || (status.st_mode & others) == 0) return;
  // Of another's file the mode stays, and `switchyard doctor` says so.
  static_cast<void>(::chmod(path.c_str(), status.st_mode & ALLPERMS & ~others) == 0);
}

}  // namespace

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::check(int code) {
  if (code == SQLITE_OK) return;
  sqlite3* handle = sqlite3_db_handle(statement_);
  raise(handle, sqlite3_db_filename(handle, "main"));
}

Query& Query::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Query& Query::bind_null() {
  check(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

Query& Query::bind(std::string_view text) {
  // A null pointer would bind NULL instead of the empty text.
  const char* bytes = text.data() != nullptr ? text.data() : "";
  check(sqlite3_bind_text(statement_, ++bound_, bytes, static_cast<int>(text.size()), SQLITE_STATIC));
  return *this;
}

Query& Query::bind_blob(std::string_view bytes) {
  check(sqlite3_bind_blob(statement_, ++bound_, bytes.data() != nullptr ? bytes.data() : "",
                          static_cast<int>(bytes.size()), SQLITE_STATIC));
  return *this;
}

Query& Query::bind(const Uuid& value) {
  return bind_blob(std::string_view(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()));
}

bool Query::step() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default: {
      sqlite3* handle = sqlite3_db_handle(statement_);
      raise(handle, sqlite3_db_filename(handle, "main"));
    }
  }
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

Uuid Query::uuid(int column) const {
  const auto bytes = blob(column);
  Uuid uuid;
  SWITCHYARD_ASSERT(bytes.size() == uuid.bytes.size());
  std::ranges::copy(bytes, uuid.bytes.begin());
  return uuid;
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::string_view Query::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close(handle);
}
void Database::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Database::Database(const std::string& path, Durability durability, Access access)
    : path_(path), durability_(durability) {
  configure_sqlite();
  if (access == Access::in_memory) {
    open_file(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    return;
  }
  std::error_code error;
  if (const auto status = std::filesystem::status(path, error);
      std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw DatabaseError(SQLITE_CANTOPEN, fmt::format("{}: is not a file", path));
  }
  const auto name = name_of_file(path);
  if (access == Access::create) create_file(name);
  open_file(name.c_str(), access == Access::read_only ? SQLITE_OPEN_READONLY
                          : access == Access::create  ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                                      : SQLITE_OPEN_READWRITE);
  file_ = file_at(name).value_or(FileId{});
  // SQLite's own name of it, in which links are followed.
  const std::string followed = sqlite3_db_filename(handle(), "main");
  log_.path = followed + "-wal";
  index_.path = followed + "-shm";
  if (access == Access::read_only) read_alone_if_need_be();
  if (access == Access::read_only || access == Access::recover) return;
  execute(settings_common);
  execute(durability == Durability::synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = OFF");
  // Now that it is known to be a database.
  if (access != Access::create) return;
  for (const auto* file : {&path_, &log_.path, &index_.path}) close_to_others(*file);
}

void Database::open_file(const char* name, int flags) {
  sqlite3* handle = nullptr;
  const char* vfs = durability_ == Durability::synced ? gathering_vfs() : nullptr;
  const int opened = sqlite3_open_v2(name, &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
  handle_.reset(handle);
  if (opened != SQLITE_OK) raise(handle, path_);
  // Each text of a row that is read is an allocation. What is prepared keeps its slots for as long as the
  // connection lives, so that SQLite's own hundred are soon used up.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_LOOKASIDE, nullptr, lookaside_bytes, lookaside_slots);
  sqlite3_busy_handler(handle, wait_for_lock, nullptr);
}

// Who reads makes the log's index, too, if nobody has. Where that cannot be, nobody can write either, and
// without a log all is in the file.
void Database::read_alone_if_need_be() {
  if (sqlite3_exec(handle(), "PRAGMA schema_version", nullptr, nullptr, nullptr) == SQLITE_OK) return;
  const int code = sqlite3_extended_errcode(handle());
  if ((code & 0xff) == SQLITE_BUSY) raise(handle(), path_);
  constexpr std::array of_the_place{SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL};
  if (code == SQLITE_READONLY_ROLLBACK ||
      std::ranges::find(of_the_place, code & 0xff) == of_the_place.end() || !is_empty_or_missing(log_.path)) {
    // It comes again with the first read.
    return;
  }
  open_file(uri_of(path_).c_str(), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

bool Database::lock_out_others() {
  execute("PRAGMA locking_mode = EXCLUSIVE");
  try {
    auto row = query("PRAGMA journal_mode = DELETE");
    if (row.step() && row.text(0) == "delete") return true;
  } catch (const DatabaseError& error) {
    if (!is_busy(error)) throw;
  }
  execute("PRAGMA locking_mode = NORMAL");
  return false;
}

void Database::become(Database& source) {
  auto* copy = sqlite3_backup_init(handle(), "main", source.handle(), "main");
  if (copy == nullptr) raise(handle(), path_);
  const int stepped = sqlite3_backup_step(copy, -1);
  const int finished = sqlite3_backup_finish(copy);
  if (finished != SQLITE_OK) raise(handle(), path_);
  // Of a lock, only the step tells.
  if (stepped != SQLITE_DONE) {
    throw DatabaseError(stepped, fmt::format("{}: {}; it was to be copied from {}", path_,
                                             sqlite3_errstr(stepped), source.path()));
  }
}

void Database::require_in_place() {
  if (require_file_at(path_) != file_) throw_moved(path_);
  for (auto* beside : {&log_, &index_}) {
    if (!beside->file) beside->file = file_at(beside->path);
    if (beside->file && require_file_at(beside->path) != *beside->file) throw_moved(beside->path);
  }
}

void Database::rewrite_log() const {
  LogFile(log_.path).rewrite();
}

Database::~Database() {
  statements_.clear();
}

Query Database::query(const char* sql) {
  auto& statement = statements_[sql];
  if (!statement) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v3(handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr) != SQLITE_OK) {
      raise(handle(), path_);
    }
    statement.reset(prepared);
  }
  return Query(statement.get());
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) raise(handle(), path_);
}

std::int64_t Database::integer(const char* sql) {
  auto row = query(sql);
  return row.step() ? row.integer(0) : 0;
}

void throw_moved(const std::string& path) {
  throw DatabaseError(
      SQLITE_READONLY_DBMOVED,
      fmt::format(
          "{}: was moved, deleted or replaced while it was open, and nothing is stored until it is back; stop "
          "all programs that use it, put the right file in its place and start again",
          path));
}

bool is_busy(const DatabaseError& error) {
  const int code = error.code() & 0xff;
  return code == SQLITE_BUSY || code == SQLITE_LOCKED;
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(handle());
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(handle()) == 0;
}

}  // namespace switchyard::sqlite
