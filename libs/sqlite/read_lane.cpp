#include "sqlite/read_lane.hpp"

#include <sqlite3.h>

namespace switchyard::sqlite {

ReadLane::ReadLane(std::unique_ptr<Database> database, Limits limits)
    : database_(std::move(database)), limits_(limits), thread_([this] { work_off(); }) {}

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
  if (waiting_ >= limits_.in_all) {
    lock.unlock();
    return refuse(std::move(command), "too many operations are waiting for the store");
  }
  auto& queue = queues_[asker];
  if (queue.size() >= limits_.of_one_asker) {
    lock.unlock();
    return refuse(std::move(command), "too many of your requests are waiting for the store");
  }
  if (queue.empty()) line_.push_back(asker);
  queue.push_back(std::move(command));
  const bool wake = ++waiting_ == 1;
  lock.unlock();
  if (wake) wake_.notify_one();
}

std::unique_ptr<Command> ReadLane::next() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return waiting_ > 0 || stopping_; });
  if (waiting_ == 0) return nullptr;
  const auto asker = line_.front();
  line_.pop_front();
  const auto queue = queues_.find(asker);
  auto command = std::move(queue->second.front());
  queue->second.pop_front();
  --waiting_;
  if (queue->second.empty()) {
    queues_.erase(queue);
  } else {
    line_.push_back(asker);
  }
  return command;
}

void ReadLane::work_off() {
  while (auto command = next()) {
    execute(*command);
    auto& home = command->home();
    asio::post(home, [done = std::move(command)] { done->complete(); });
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
