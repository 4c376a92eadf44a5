#include "postgres/turns.hpp"

namespace switchyard::postgres {

void Turns::submit(std::int64_t asker, std::unique_ptr<Operation> operation) {
  std::unique_lock lock(mutex_);
  if (const char* why = line_.why_no_room(asker); why != nullptr) {
    lock.unlock();
    operation->refuse(why);
    return complete_at_home(std::move(operation));
  }
  line_.push(asker, std::move(operation));
  lock.unlock();
  asio::post(executor_, [this] { begin_another(); });
}

void Turns::begin_another() {
  if (!may_begin_(under_way_)) return;
  ++under_way_;
  tasks_.spawn([this] { return work_off(); });
}

Task<void> Turns::work_off() {
  while (auto operation = next()) {
    co_await operation->execute();
    complete_at_home(std::move(operation));
  }
  --under_way_;
}

std::unique_ptr<Turns::Operation> Turns::next() {
  if (!may_begin_(under_way_ - 1)) return nullptr;
  while (auto operation = take()) {
    if (std::chrono::steady_clock::now() - operation->asked_at <= patience_) return operation;
    operation->refuse("too many operations are waiting for the store");
    complete_at_home(std::move(operation));
  }
  return nullptr;
}

std::unique_ptr<Turns::Operation> Turns::take() {
  const std::lock_guard lock(mutex_);
  return line_.empty() ? nullptr : line_.pop();
}

}  // namespace switchyard::postgres
