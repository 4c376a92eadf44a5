#include "switchyard/backup.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "sqlite/database.hpp"
#include "sqlite/in_use.hpp"
#include "store/sqlite/schema.hpp"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void raise_system(const std::string& path, const char* what) {
  throw std::runtime_error(fmt::format("{}: {}: {}", path, what, std::generic_category().message(errno)));
}

bool is_there(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) raise_system(path, "cannot be found");
  return false;
}

std::string folder_of(const std::string& path) {
  return fs::absolute(path).parent_path().string();
}

// What a file or a folder holds is on the disk.
void sync(const std::string& path) {
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) raise_system(path, "cannot be opened");
  const int synced = ::fsync(opened);
  const int error = errno;
  ::close(opened);
  errno = error;
  // Some systems of files know no sync of a folder.
  if (synced != 0 && error != EINVAL) raise_system(path, "cannot be synced");
}

// A file that goes with its holder unless it got its name.
class UnfinishedFile {
 public:
  explicit UnfinishedFile(const std::string& place)
      : path_(fmt::format("{}.{}.unfinished", place, random_hex(4))) {
    const int made = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (made < 0) raise_system(path_, "cannot be made");
    ::close(made);
  }
  ~UnfinishedFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;

  const std::string& path() const { return path_; }

  // Not over another file.
  void name_new(const std::string& place) {
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, place.c_str(), RENAME_NOREPLACE) != 0) {
      // Some systems of files know no such call.
      if (errno != EINVAL) raise_system(place, "cannot be made");
      if (::link(path_.c_str(), place.c_str()) != 0) raise_system(place, "cannot be made");
      ::unlink(path_.c_str());
    }
    path_.clear();
    sync(folder_of(place));
  }
  void replace(const std::string& place) {
    if (::rename(path_.c_str(), place.c_str()) != 0) raise_system(place, "cannot be replaced");
    path_.clear();
    sync(folder_of(place));
  }

 private:
  std::string path_;
};

// --- Whether a store is whole --------------------------------------------------------------------------

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw std::runtime_error(fmt::format("{}: {}: nothing was changed; use another backup", name, why));
}

// SQLite takes a last page that is cut off for one that ends in zeros.
void require_whole_file(sqlite::Database& database, const std::string& name) {
  const auto page = database.integer("PRAGMA page_size");
  const auto should = page * database.integer("PRAGMA page_count");
  const auto size = static_cast<std::int64_t>(fs::file_size(database.path()));
  std::error_code none;
  const auto log = fs::file_size(database.path() + "-wal", none);
  // What stands in the log is counted, and need not be in the file yet.
  const bool has_log = !none && log > 0;
  if (has_log ? size % page == 0 : size == should) return;
  refuse(name, fmt::format("is damaged (it has {} bytes and should have {}: it was cut off, or something was "
                           "appended)",
                           size, should));
}

// Each table, index and the like, with the columns that it has.
using Schema = std::map<std::string, std::string>;

Schema schema_of(sqlite::Database& database) {
  Schema schema;
  auto row = database.query(R"(
    SELECT s.type || ' ' || s.name,
           s.tbl_name || coalesce((
             SELECT group_concat(name || ' ' || type || ' ' || "notnull" || ' ' || pk) FROM pragma_table_xinfo(s.name)
           ), '') || coalesce((
             SELECT group_concat(coalesce(name, '') || ' ' || desc) FROM pragma_index_xinfo(s.name)
           ), '')
    FROM sqlite_schema s)");
  while (row.step()) schema.emplace(row.text(0), row.text(1));
  return schema;
}

// What is there besides is somebody's own.
void require_all_of_schema(sqlite::Database& database, std::int64_t version, const std::string& name) {
  sqlite::Database fresh("a new store", sqlite::Durability::process, sqlite::Access::in_memory);
  store::migrate(fresh, version);
  const auto found = schema_of(database);
  for (const auto& [what, columns] : schema_of(fresh)) {
    const auto same = found.find(what);
    if (same == found.end()) {
      refuse(name, fmt::format("is damaged (it lacks the {} that schema version {} has)", what, version));
    }
    if (same->second != columns) {
      refuse(name,
             fmt::format("is damaged (its {} has other columns than schema version {} has)", what, version));
    }
  }
}

void require_sound_rows(sqlite::Database& database, const std::string& name) {
  auto row = database.query("PRAGMA foreign_key_check");
  if (!row.step()) return;
  refuse(name, fmt::format("is damaged (the table {} has rows that belong to rows that {} lacks)",
                           row.text(0), row.text(2)));
}

Contents count(sqlite::Database& database, std::int64_t version) {
  return {.schema_version = version,
          .transactions = database.integer("SELECT count(*) FROM transactions"),
          .users = database.integer("SELECT count(*) FROM users")};
}

// Looks at each page and each index, in the transaction that the caller has begun. `name`: of the file that
// is to blame.
Contents check(sqlite::Database& database, const std::string& name) {
  const auto version = store::require_known_schema(database);
  if (version == 0) throw std::runtime_error(fmt::format("{}: is empty, and no store of Switchyard", name));
  require_whole_file(database, name);
  auto row = database.query("PRAGMA integrity_check(1)");
  if (row.step() && row.text(0) != "ok") {
    std::string why(row.text(0));
    std::ranges::replace(why, '\n', ' ');
    refuse(name, fmt::format("is damaged ({}), see also: sqlite3 FILE .recover", why));
  }
  require_all_of_schema(database, version, name);
  require_sound_rows(database, name);
  return count(database, version);
}

// A file that is only read, as it is at one moment, with what stands in its write-ahead log.
class Snapshot {
 public:
  explicit Snapshot(const std::string& path) {
    if (!is_there(path)) throw std::runtime_error(fmt::format("{}: there is no such file", path));
    database_ =
        std::make_unique<sqlite::Database>(path, sqlite::Durability::synced, sqlite::Access::read_only);
    database_->execute("BEGIN");
    contents_ = check(*database_, path);
  }

  sqlite::Database& database() { return *database_; }
  const Contents& contents() const { return contents_; }

 private:
  std::unique_ptr<sqlite::Database> database_;
  Contents contents_;
};

Contents copy_checked(const std::string& from, const UnfinishedFile& to) {
  {
    Snapshot source(from);
    source.database().execute("COMMIT");
    try {
      auto copy = source.database().query("VACUUM INTO ?");
      copy.bind(std::string_view(to.path())).run();
    } catch (const sqlite::DatabaseError& error) {
      // Its words name the file that is read, also where the disk of the other one is full.
      throw std::runtime_error(fmt::format("{}; it was to be copied to {}", error.what(), to.path()));
    }
  }
  const auto contents = Snapshot(to.path()).contents();
  sync(to.path());
  return contents;
}

// As the store that it replaces, or else as its folder: the service, which is not root, must be able to
// write.
void give_to_owner(const std::string& path, const std::string& store) {
  struct stat status{};
  const auto like = is_there(store) ? store : folder_of(store);
  if (::geteuid() != 0 || ::stat(like.c_str(), &status) != 0) return;
  if (::chown(path.c_str(), status.st_uid, status.st_gid) != 0)
    raise_system(path, "cannot be given to the owner");
}

// --- In the place of a store ---------------------------------------------------------------------------

[[noreturn]] void refuse_while_used(const std::string& who, const std::string& store) {
  throw std::runtime_error(fmt::format("{} has {} open: stop what uses it, and restore then", who, store));
}

void require_unused(const std::string& store) {
  if (const auto process = sqlite::process_that_uses(store))
    refuse_while_used(fmt::format("process {}", *process), store);
}

// Whether nobody can start over it, either. It is only looked at: to open it for writing would change its
// log.
bool is_unreadable(const std::string& store) try {
  sqlite::Database untouched(store, sqlite::Durability::synced, sqlite::Access::read_only);
  untouched.integer("SELECT count(*) FROM sqlite_schema");
  return false;
} catch (const sqlite::DatabaseError& error) {
  const int code = error.code() & 0xff;
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) return true;
  if (error.code() == SQLITE_READONLY_ROLLBACK) return false;
  if (sqlite::is_busy(error)) refuse_while_used("a process", store);
  throw;
}

// The store, made if it is not there. Until it is closed nobody else can open it, and it has no log.
std::unique_ptr<sqlite::Database> lock(const std::string& store) try {
  auto database =
      std::make_unique<sqlite::Database>(store, sqlite::Durability::synced, sqlite::Access::create);
  if (!database->lock_out_others()) refuse_while_used("a process", store);
  return database;
} catch (const sqlite::DatabaseError& error) {
  if (sqlite::is_busy(error)) refuse_while_used("a process", store);
  throw;
}

// Into one that is locked. What is left of its journal is of no use any more.
void copy_into(sqlite::Database& to, sqlite::Database& from) {
  to.become(from);
  const auto journal = to.path() + "-journal";
  if (::unlink(journal.c_str()) != 0 && errno != ENOENT) raise_system(journal, "cannot be removed");
  sync(folder_of(to.path()));
}

constexpr std::array beside{"-wal", "-shm", "-journal"};

// The name under which the store that was there stays: `attempt` is 0, and more where that is taken.
std::string name_kept(const std::string& store, int attempt) {
  const auto now = std::chrono::floor<std::chrono::seconds>(SystemClock().now());
  const auto kept = fmt::format("{}.before-restore-{}", store, now.time_since_epoch().count());
  return attempt == 0 ? kept : fmt::format("{}-{}", kept, attempt + 1);
}

std::string find_name_to_keep(const std::string& store) {
  for (int attempt = 0;; ++attempt) {
    const auto kept = name_kept(store, attempt);
    if (is_there(kept) || std::ranges::any_of(beside, [&](auto* one) { return is_there(kept + one); }))
      continue;
    return kept;
  }
}

// A copy of what the locked store holds.
std::string keep_copy(sqlite::Database& store) {
  const auto kept = find_name_to_keep(store.path());
  UnfinishedFile unfinished(kept);
  {
    const auto copy = lock(unfinished.path());
    copy_into(*copy, store);
  }
  give_to_owner(unfinished.path(), store.path());
  sync(unfinished.path());
  unfinished.name_new(kept);
  return kept;
}

// A second name for the file and for what stands beside it.
std::string keep_files(const std::string& store) {
  const auto kept = find_name_to_keep(store);
  for (const auto* suffix : {"", "-wal", "-journal"}) {
    const auto file = store + suffix;
    if (*suffix != '\0' && !is_there(file)) continue;
    if (::link(file.c_str(), (kept + suffix).c_str()) != 0) raise_system(kept + suffix, "cannot be made");
  }
  sync(folder_of(store));
  return kept;
}

// One that was left would be taken for the new file's.
void remove_beside(const std::string& store) {
  for (const auto* suffix : beside) {
    const auto file = store + suffix;
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) raise_system(file, "cannot be removed");
  }
  // Before the new file is there.
  sync(folder_of(store));
}

// A file that no program can start over is replaced by another one.
std::string replace_unreadable(const std::string& store, Snapshot& backup) {
  UnfinishedFile unfinished(store);
  {
    const auto copy = lock(unfinished.path());
    copy_into(*copy, backup.database());
  }
  give_to_owner(unfinished.path(), store);
  sync(unfinished.path());
  auto kept = keep_files(store);
  remove_beside(store);
  unfinished.replace(store);
  return kept;
}

// The file stays, and what it holds becomes another in one commit. So whoever starts meanwhile waits, and
// then sees the one or the other; whoever opens it after this process was killed undoes what is half done.
std::string replace_contents(const std::string& store, Snapshot& backup) {
  const auto locked = lock(store);
  std::string kept;
  if (locked->integer("SELECT count(*) FROM sqlite_schema") > 0) kept = keep_copy(*locked);
  copy_into(*locked, backup.database());
  const auto restored = count(*locked, locked->integer("PRAGMA user_version"));
  if (restored != backup.contents()) {
    throw std::runtime_error(fmt::format(
        "{}: does not hold what the backup holds, and the store before is {}; restore again", store, kept));
  }
  return kept;
}

}  // namespace

Contents back_up(const std::string& store, const std::string& file) {
  const auto is_same_name = [](const std::string& one, const std::string& other) {
    return fs::weakly_canonical(fs::absolute(one)) == fs::weakly_canonical(fs::absolute(other));
  };
  if (std::ranges::any_of(beside, [&](const char* suffix) { return is_same_name(file, store + suffix); })) {
    throw std::runtime_error(
        fmt::format("{}: is a name that SQLite keeps for the store's own log; name another file", file));
  }
  const auto refuse_to_overwrite = [&file] {
    if (is_there(file)) {
      throw std::runtime_error(
          fmt::format("{}: is there already, and is not overwritten; name another file", file));
    }
  };
  refuse_to_overwrite();
  if (!is_there(store))
    throw std::runtime_error(fmt::format("{}: there is no store; see DATABASE_URL", store));
  UnfinishedFile unfinished(file);
  const auto contents = copy_checked(store, unfinished);
  refuse_to_overwrite();
  unfinished.name_new(file);
  return contents;
}

// The file that a link names, also one that is not there.
std::string file_behind(const std::string& place) {
  constexpr int links_max = 40;  // as the kernel has it
  auto path = fs::absolute(place);
  for (int links = 0; fs::is_symlink(fs::symlink_status(path)); ++links) {
    if (links == links_max) throw std::runtime_error(fmt::format("{}: is a link that leads nowhere", place));
    path = path.parent_path() / fs::read_symlink(path);
  }
  return fs::weakly_canonical(path).string();
}

Restored restore(const std::string& file, const std::string& place) {
  // Where it is a link, the file that it names is replaced.
  const auto store = file_behind(place);
  if (is_there(store) && is_there(file) && fs::equivalent(file, store)) {
    throw std::runtime_error(fmt::format("{}: is the store itself; name a backup of it", file));
  }
  require_unused(store);
  Snapshot backup(file);
  fs::create_directories(folder_of(store));
  const bool unreadable = is_there(store) && is_unreadable(store);
  // It took a while: somebody may have started.
  require_unused(store);
  return {.contents = backup.contents(),
          .kept = unreadable ? replace_unreadable(store, backup) : replace_contents(store, backup)};
}

}  // namespace switchyard::cli
