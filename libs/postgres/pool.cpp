#include "postgres/pool.hpp"

#include <algorithm>

namespace switchyard::postgres {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds pause_between_tries{100};

}  // namespace

Pool::Pool(Executor executor, std::string url, std::size_t size_max)
    : executor_(executor), url_(std::move(url)), size_max_(size_max) {}

Task<Outcome<Pool::Lease>> Pool::acquire(Deadline deadline) {
  const bool our_turn = co_await wait_for_turn(deadline);
  if (!our_turn) {
    co_return std::unexpected(
        Failure{Failure::Kind::unreachable, {}, "all connections to the database are in use"});
  }
  if (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    co_return Lease(*this, std::move(connection));
  }
  auto connection = co_await connect_patiently(deadline);
  if (!connection) {
    free_slot();
    co_return std::unexpected(std::move(connection.error()));
  }
  co_return Lease(*this, std::move(*connection));
}

Task<bool> Pool::wait_for_turn(Deadline deadline) {
  if (in_use_ < size_max_) {
    ++in_use_;
    co_return true;
  }
  // Who frees a slot hands it over, so that nobody is overtaken.
  Event handed_over(executor_);
  waiting_.push_back(&handed_over);
  const bool ours = co_await handed_over.wait_until(deadline);
  if (!ours) std::erase(waiting_, &handed_over);
  co_return ours;
}

Task<Outcome<std::unique_ptr<Connection>>> Pool::connect_patiently(Deadline deadline) {
  for (;;) {
    auto made = co_await Connection::connect(executor_, url_, deadline);
    const auto again_at = steady_clock::now() + pause_between_tries;
    if (made || again_at >= deadline) co_return made;
    SteadyTimer pause(executor_, again_at);
    co_await pause.async_wait(use_tuple);
  }
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  if (connection->is_usable()) {
    idle_.push_back(std::move(connection));
  } else {
    // Its neighbours are probably lost as well, and would each fail one more operation.
    idle_.clear();
  }
  free_slot();
}

void Pool::free_slot() {
  if (waiting_.empty()) {
    --in_use_;
    return;
  }
  waiting_.front()->set();
  waiting_.pop_front();
}

}  // namespace switchyard::postgres
