#include "sqlite/lane.hpp"

#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

namespace switchyard::sqlite {
namespace {

// Bounds how long one commit can take, and so the wait of the command behind it.
constexpr std::size_t group_size_max = 1024;

// The write-ahead log is copied back into the file when it has grown to this many pages of 4 KiB. Larger
// means fewer copies of pages that change again and again, and more memory for the log's index.
constexpr int checkpoint_frames = 4096;

// Between two tries to open a file again that has failed.
constexpr std::chrono::milliseconds recovery_pause{100};

// Failures of the place where the data is: trying the commands one by one would only fail one by one. A page
// that is damaged (SQLITE_CORRUPT) is not among them: it concerns those who need it.
bool concerns_whole_database(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_NOTADB:
      return true;
    default:
      return false;
  }
}

// Whether a transaction whose COMMIT failed may be found done by whoever recovers the log. Not if it is still
// open (another's lock, a deferred rule), nor if its last frame did not fit on the disk: a group counts only
// with that one, whole. Anything else may have come behind it: the sync, the memory of the log's index.
bool may_be_done(int code, bool in_transaction) {
  return !in_transaction && (code & 0xff) != SQLITE_FULL;
}

void fail_all(std::span<std::unique_ptr<Command>> commands, const Error& error) {
  for (auto& command : commands) command->fail(error);
}

}  // namespace

void refuse(std::unique_ptr<Command> command, const char* why) {
  command->fail({ErrorCode::overloaded, why});
  complete_at_home(std::move(command));
}

Lane::Lane(std::unique_ptr<Database> database, std::size_t capacity)
    : path_(database->path()),
      durability_(database->durability()),
      file_(database->file()),
      capacity_(capacity) {
  use(std::move(database));
  thread_ = std::thread([this] { work_off(); });
}

Lane::~Lane() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Lane::use(std::unique_ptr<Database> database) {
  database_ = std::move(database);
  const auto remember_frames = [](void* lane, sqlite3*, const char*, int frames) {
    static_cast<Lane*>(lane)->wal_frames_ = frames;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(database_->handle(), remember_frames, this);
}

void Lane::submit(std::unique_ptr<Command> command) {
  std::unique_lock lock(mutex_);
  if (waiting_.size() >= capacity_) {
    lock.unlock();
    return refuse(std::move(command), "too many operations are waiting for the store");
  }
  waiting_.push_back(std::move(command));
  const bool wake = std::exchange(idle_, false);
  lock.unlock();
  if (wake) wake_.notify_one();
}

Lane::Commands Lane::next_group() {
  Commands group;
  std::unique_lock lock(mutex_);
  if (waiting_.empty()) {
    idle_ = true;
    wake_.wait(lock, [this] { return !waiting_.empty() || stopping_; });
    idle_ = false;
  }
  if (waiting_.size() <= group_size_max) {
    group.swap(waiting_);
  } else {
    const auto end = waiting_.begin() + group_size_max;
    group.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
  }
  return group;
}

void Lane::work_off() {
  pthread_setname_np(pthread_self(), "store-write");
  for (auto group = next_group(); !group.empty(); group = next_group()) {
    execute_group(group);
    complete_all(std::move(group));
    checkpoint_if_due();
  }
}

void Lane::execute_group(std::span<std::unique_ptr<Command>> commands) {
  if (!recover()) return fail_all(commands, {ErrorCode::store_unavailable, doubt_});
  bool committing = false;
  try {
    database_->query("BEGIN IMMEDIATE").run();
    database_->require_in_place();
    for (auto& command : commands) command->execute(*database_);
    committing = true;
    database_->query("COMMIT").run();
  } catch (const DatabaseError& error) {
    const bool unknown = committing && may_be_done(error.code(), database_->in_transaction());
    if (database_->in_transaction()) sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    if (unknown || (error.code() & 0xff) == SQLITE_IOERR) doubt_ = error.what();
    if (unknown) {
      return fail_all(commands, {ErrorCode::store_outcome_unknown,
                                 fmt::format("{}; whether the commit was done is open", error.what())});
    }
    if (commands.size() > 1 && !concerns_whole_database(error.code())) {
      // One command broke a rule of the schema: it must not take its neighbours with it.
      for (auto& command : commands) execute_group({&command, 1});
      return;
    }
    fail_all(commands, {ErrorCode::store_unavailable, error.what()});
  }
}

bool Lane::recover() {
  if (doubt_.empty()) return true;
  const auto now = std::chrono::steady_clock::now();
  if (now < recovery_not_before_) return false;
  try {
    database_.reset();
    auto database = std::make_unique<Database>(path_, durability_, Access::existing);
    if (database->file() != file_) throw_moved(path_);
    database->query("BEGIN IMMEDIATE").run();
    if (durability_ == Durability::synced) database->rewrite_log();
    // Any change will do: it goes where the commit in doubt would go on in the log.
    database->execute(
        fmt::format("PRAGMA user_version = {}", database->integer("PRAGMA user_version")).c_str());
    database->query("COMMIT").run();
    use(std::move(database));
    doubt_.clear();
    return true;
  } catch (const DatabaseError& error) {
    doubt_ = error.what();
    recovery_not_before_ = std::chrono::steady_clock::now() + recovery_pause;
    return false;
  }
}

void Lane::checkpoint_if_due() {
  if (!database_ || wal_frames_ < checkpoint_frames) return;
  // Passive: gives way to readers and other writers, and goes on at the next commit. Its failure is no
  // failure of a commit; the log only grows, and all of it is copied again.
  sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_frames_ = 0;
}

}  // namespace switchyard::sqlite
