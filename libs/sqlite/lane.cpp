#include "sqlite/lane.hpp"

#include <algorithm>
#include <span>

#include <sqlite3.h>

namespace switchyard::sqlite {
namespace {

// Bounds how long one commit can take, and so the wait of the command behind it.
constexpr std::size_t group_size_max = 1024;

// The write-ahead log is copied back into the file when it has grown to this many pages of 4 KiB. Larger
// means fewer copies of pages that change again and again, and more memory for the log's index.
constexpr int checkpoint_frames = 4096;

// Failures of the place where the data is: trying the commands one by one would only fail one by one.
bool concerns_whole_database(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_NOTADB:
      return true;
    default:
      return false;
  }
}

}  // namespace

Lane::Lane(std::unique_ptr<Database> database, Mode mode, std::size_t capacity)
    : database_(std::move(database)), mode_(mode), capacity_(capacity) {
  const auto remember_frames = [](void* lane, sqlite3*, const char*, int frames) {
    static_cast<Lane*>(lane)->wal_frames_ = frames;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(database_->handle(), remember_frames, this);
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

void Lane::submit(std::unique_ptr<Command> command) {
  std::unique_lock lock(mutex_);
  if (waiting_.size() >= capacity_) {
    lock.unlock();
    command->fail({ErrorCode::overloaded, "too many operations are waiting for the store"});
    auto& home = command->home();
    asio::post(home, [refused = std::move(command)] { refused->complete(); });
    return;
  }
  waiting_.push_back(std::move(command));
  const bool wake = std::exchange(idle_, false);
  lock.unlock();
  if (wake) wake_.notify_one();
}

void Lane::work_off() {
  for (;;) {
    Commands group;
    {
      std::unique_lock lock(mutex_);
      if (waiting_.empty()) {
        idle_ = true;
        wake_.wait(lock, [this] { return !waiting_.empty() || stopping_; });
        idle_ = false;
      }
      if (waiting_.empty()) return;
      if (waiting_.size() <= group_size_max) {
        group.swap(waiting_);
      } else {
        const auto end = waiting_.begin() + group_size_max;
        group.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
        waiting_.erase(waiting_.begin(), end);
      }
    }
    if (mode_ == Mode::write) {
      execute_group(group);
      complete_all(std::move(group));
      checkpoint_if_due();
    } else {
      for (auto& command : group) execute_group({&command, 1});
      complete_all(std::move(group));
    }
  }
}

void Lane::execute_group(std::span<std::unique_ptr<Command>> commands) {
  try {
    execute_in_transaction(commands);
  } catch (const DatabaseError& error) {
    if (database_->in_transaction()) sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    if (commands.size() > 1 && !concerns_whole_database(error.code())) {
      // One command broke a rule of the schema: it must not take its neighbours with it.
      for (auto& command : commands) execute_group({&command, 1});
      return;
    }
    for (auto& command : commands) command->fail({ErrorCode::store_unavailable, error.what()});
  }
}

void Lane::execute_in_transaction(std::span<std::unique_ptr<Command>> commands) {
  database_->query(mode_ == Mode::write ? "BEGIN IMMEDIATE" : "BEGIN").run();
  for (auto& command : commands) command->execute(*database_);
  database_->query("COMMIT").run();
}

void Lane::checkpoint_if_due() {
  if (wal_frames_ < checkpoint_frames) return;
  // Passive: gives way to readers and other writers, and goes on at the next commit. Its failure is no
  // failure of a commit; the log only grows.
  sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_frames_ = 0;
}

}  // namespace switchyard::sqlite
