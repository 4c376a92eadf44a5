#include "sqlite/read_lane.hpp"

#include <sqlite3.h>

namespace switchyard::sqlite {

ReadLane::ReadLane(std::unique_ptr<Database> database, Limits limits)
    : database_(std::move(database)), line_(limits), thread_([this] { work_off(); }) {}

ReadLane::~ReadLane() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void ReadLane::submit(std::int64_t asker, std::unique_ptr<Command> command) {
  std::unique_lock lock(mutex_);
  if (const char* why = line_.why_no_room(asker)) {
    lock.unlock();
    return refuse(std::move(command), why);
  }
  const bool wake = line_.empty();
  line_.push(asker, std::move(command));
  lock.unlock();
  if (wake) wake_.notify_one();
}

std::unique_ptr<Command> ReadLane::next() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return !line_.empty() || stopping_; });
  return line_.empty() ? nullptr : line_.pop();
}

void ReadLane::work_off() {
  pthread_setname_np(pthread_self(), "store-read");
  while (auto command = next()) {
    execute(*command);
    complete_at_home(std::move(command));
  }
}

void ReadLane::execute(Command& command) {
  try {
    database_->query("BEGIN").run();
    command.execute(*database_);
    database_->query("COMMIT").run();
  } catch (const DatabaseError& error) {
    if (database_->in_transaction()) sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    command.fail({ErrorCode::store_unavailable, error.what()});
  }
}

}  // namespace switchyard::sqlite
