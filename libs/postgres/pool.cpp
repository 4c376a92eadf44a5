#include "postgres/pool.hpp"

#include <algorithm>
#include <utility>

namespace switchyard::postgres {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds pause_between_tries{100};
constexpr std::chrono::seconds grow_after{10};
// A connection that was not needed for so long has another's place at the server.
constexpr std::chrono::seconds idle_max{10};

// The role, the database or the server has as many connections as it may.
bool is_full(const Failure& failure) {
  return failure.sqlstate == "53300";
}
// Which another try does not change: the password, the role, the database's name.
bool is_for_good(const Failure& failure) {
  return failure.sqlstate.starts_with("28") || failure.sqlstate == "3D000";
}

}  // namespace

// One of the `size_` turns, until it becomes a lease's.
class Pool::Turn {
 public:
  explicit Turn(Pool& pool) : pool_(&pool) {}
  ~Turn() {
    if (pool_ != nullptr) pool_->end_turn();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  void pass_on() { pool_ = nullptr; }

 private:
  Pool* pool_;
};

// Stands in line, and leaves it whatever happens to the coroutine that waits: a turn that was handed to it
// and not taken goes to the next.
struct Pool::Waiter {
  Waiter(Pool& pool_in, Place place) : pool(pool_in), handed_over(pool.executor_) {
    pool.waiting_.insert(place == Place::first ? pool.waiting_.begin() : pool.waiting_.end(), this);
  }
  ~Waiter() {
    std::erase(pool.waiting_, this);
    if (has_turn) pool.end_turn();
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Pool& pool;
  Event handed_over;
  bool has_turn = false;
};

Pool::Pool(Executor executor, std::string url, std::size_t size_max)
    : executor_(executor), url_(std::move(url)), size_max_(size_max), size_(size_max) {}

Task<Outcome<Pool::Lease>> Pool::acquire(Deadline deadline) {
  for (auto place = Place::last;; place = Place::first) {
    const bool our_turn = co_await wait_for_turn(place, deadline);
    if (!our_turn) {
      co_return std::unexpected(
          Failure{Failure::Kind::busy, {}, "all connections to the database are in use"});
    }
    Turn turn(*this);
    auto connection = take_idle();
    if (!connection) {
      auto made = co_await connect_patiently(deadline);
      // Somebody may have given one back meanwhile.
      connection = made ? std::move(*made) : take_idle();
      if (!connection && (!is_full(made.error()) || lent_ == 0)) {
        co_return std::unexpected(std::move(made.error()));
      }
    }
    if (connection) {
      turn.pass_on();
      co_return lend(std::move(connection));
    }
    adapt_to_full_server();
  }
}

bool Pool::share_has_room(std::size_t in_use, std::size_t parts) {
  const auto share = [&] { return std::max<std::size_t>(size_ / parts, 1); };
  if (in_use >= share()) want_more();
  return in_use < share();
}

void Pool::want_more() {
  const auto now = steady_clock::now();
  if (size_ >= size_max_ || now < grow_at_) return;
  ++size_;
  grow_at_ = now + grow_after;
}

Task<bool> Pool::wait_for_turn(Place place, Deadline deadline) {
  if (turns_ >= size_) want_more();
  if (turns_ < size_) {
    ++turns_;
    co_return true;
  }
  Waiter waiter(*this, place);
  co_await waiter.handed_over.wait_until(deadline);
  co_return std::exchange(waiter.has_turn, false);
}

// Who finds the server full does not insist if one of ours will come back.
Task<Outcome<std::unique_ptr<Connection>>> Pool::connect_patiently(Deadline deadline) {
  for (;;) {
    auto made = co_await Connection::connect(executor_, url_, deadline);
    if (made || is_for_good(made.error()) || !idle_.empty()) co_return made;
    const auto again_at = steady_clock::now() + pause_between_tries;
    if (again_at >= deadline || (is_full(made.error()) && lent_ > 0)) co_return made;
    SteadyTimer pause(executor_, again_at);
    co_await pause.async_wait(use_tuple);
  }
}

std::unique_ptr<Connection> Pool::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back().connection);
    idle_.pop_back();
    if (connection->is_still_open()) return connection;
  }
  return nullptr;
}

Pool::Lease Pool::lend(std::unique_ptr<Connection> connection) {
  ++lent_;
  return {*this, std::move(connection)};
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  --lent_;
  if (!connection->is_usable()) {
    // Its neighbours are probably lost as well, and would each fail one more operation.
    idle_.clear();
  } else if (turns_ <= size_) {
    idle_.push_back({std::move(connection), steady_clock::now()});
  }
  close_what_nobody_needs();
  end_turn();
}

void Pool::close_what_nobody_needs() {
  const auto long_ago = steady_clock::now() - idle_max;
  while (idle_.size() > 1 && idle_.front().since < long_ago) idle_.erase(idle_.begin());
}

// Who ends a turn hands it over, so that nobody is overtaken.
void Pool::end_turn() {
  if (waiting_.empty() || turns_ > size_) {
    --turns_;
    return;
  }
  auto* next = waiting_.front();
  waiting_.pop_front();
  next->has_turn = true;
  next->handed_over.set();
}

void Pool::adapt_to_full_server() {
  size_ = std::max<std::size_t>(lent_ + idle_.size(), 2) - 1;
  grow_at_ = steady_clock::now() + grow_after;
}

}  // namespace switchyard::postgres
