#include "switchyard/backup.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
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

  // Not over another file, of which the caller has seen that it is not there.
  void name_new(const std::string& place) {
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, place.c_str(), RENAME_NOREPLACE) != 0) {
      // Some systems of files know no such call; the caller has looked.
      if (errno != EINVAL) raise_system(place, "cannot be made");
      if (::rename(path_.c_str(), place.c_str()) != 0) raise_system(place, "cannot be made");
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

// Looks at each page and each index.
Contents check(const std::string& path, const std::string& name) {
  sqlite::Database database(path, sqlite::Durability::synced, sqlite::Access::read_only);
  Contents contents;
  contents.schema_version = store::require_known_schema(database);
  auto row = database.query("PRAGMA integrity_check(1)");
  if (!row.step() || row.text(0) != "ok") {
    throw std::runtime_error(fmt::format(
        "{}: is damaged ({}): nothing was changed; use another backup, or see: sqlite3 FILE .recover", name,
        row.text(0)));
  }
  contents.transactions = database.integer("SELECT count(*) FROM transactions");
  contents.users = database.integer("SELECT count(*) FROM users");
  return contents;
}

// `from` at one moment, with what stands in its write-ahead log.
void copy_snapshot(const std::string& from, const std::string& to) try {
  if (!is_there(from)) throw std::runtime_error(fmt::format("{}: there is no such file", from));
  sqlite::Database source(from, sqlite::Durability::synced, sqlite::Access::read_only);
  if (store::require_known_schema(source) == 0) {
    throw std::runtime_error(fmt::format("{}: is empty, and no store of Switchyard", from));
  }
  auto copy = source.query("VACUUM INTO ?");
  copy.bind(std::string_view(to)).run();
} catch (const sqlite::DatabaseError& error) {
  // Its words name the file that is read, also where the disk of the other one is full.
  throw std::runtime_error(fmt::format("{}; it was to be copied to {}", error.what(), to));
}

Contents copy_checked(const std::string& from, const UnfinishedFile& to) {
  copy_snapshot(from, to.path());
  const auto contents = check(to.path(), from);
  sync(to.path());
  return contents;
}

void require_unused(const std::string& store) {
  if (const auto process = sqlite::process_that_uses(store)) {
    throw std::runtime_error(
        fmt::format("process {} has {} open: stop what uses it, and restore then", *process, store));
  }
}

// Brings what stands in the log of a store that nobody uses into its file, where it can be read. One that may
// be damaged, which is why somebody restores, is only looked at: to open it for writing would change its log.
void empty_log(const std::string& store) {
  try {
    {
      sqlite::Database untouched(store, sqlite::Durability::synced, sqlite::Access::read_only);
      store::require_known_schema(untouched);
    }
    sqlite::Database database(store, sqlite::Durability::synced, sqlite::Access::existing);
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const sqlite::DatabaseError&) {
    return;
  }
}

// A second name for the file and for its log, if it has one still.
std::string keep_aside(const std::string& store) {
  const auto now = std::chrono::floor<std::chrono::seconds>(SystemClock().now());
  const auto kept = fmt::format("{}.before-restore-{}", store, now.time_since_epoch().count());
  for (const auto* suffix : {"", "-wal"}) {
    const auto file = store + suffix;
    if (*suffix != '\0' && !is_there(file)) continue;
    if (::link(file.c_str(), (kept + suffix).c_str()) != 0) raise_system(kept + suffix, "cannot be made");
  }
  sync(folder_of(store));
  return kept;
}

// One that was left would be taken for the new file's.
void remove_log(const std::string& store) {
  for (const auto* suffix : {"-wal", "-shm"}) {
    const auto beside = store + suffix;
    if (::unlink(beside.c_str()) != 0 && errno != ENOENT) raise_system(beside, "cannot be removed");
  }
  // Before the new file is there.
  sync(folder_of(store));
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

}  // namespace

Contents back_up(const std::string& store, const std::string& file) {
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

Restored restore(const std::string& file, const std::string& place) {
  // Where it is a link, the file that it names is replaced.
  const auto store = is_there(place) ? fs::canonical(place).string() : place;
  require_unused(store);
  fs::create_directories(folder_of(store));
  UnfinishedFile unfinished(store);
  Restored restored{.contents = copy_checked(file, unfinished), .kept = {}};
  give_to_owner(unfinished.path(), store);
  // It took a while: somebody may have started.
  require_unused(store);
  if (is_there(store)) {
    empty_log(store);
    restored.kept = keep_aside(store);
  }
  remove_log(store);
  unfinished.replace(store);
  return restored;
}

}  // namespace switchyard::cli
