#include "telemetry/log_writer.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <mutex>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "base/assert.hpp"

namespace switchyard {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds unasked_interval{250};
// So much is written without being asked.
constexpr std::size_t many_bytes = std::size_t{64} * 1024;
constexpr std::size_t kept_bytes = std::size_t{256} * 1024;

constexpr std::chrono::microseconds pause_between_looks{50};

// Of nothing but calls that a signal handler may make.
void pause_a_little() {
  const timespec pause{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(pause_between_looks).count()};
  ::nanosleep(&pause, nullptr);
}

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

struct LogWriter::State {
  State(int given_descriptor, Notice given_notice, Limits given_limits)
      : descriptor(given_descriptor), notice(std::move(given_notice)), limits(given_limits) {
    SWITCHYARD_ASSERT(::sem_init(&awake, 0, 0) == 0);
  }
  ~State() { ::sem_destroy(&awake); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Async-signal-safe, like the two below.
  void wake() {
    if (!woken.exchange(true)) ::sem_post(&awake);
  }
  template <class Condition>
  bool wait_until(Condition condition, milliseconds at_most) {
    for (auto left = at_most / pause_between_looks; !condition() && left > 0; --left) {
      wake();
      pause_a_little();
    }
    return condition();
  }
  bool wait_until_written(milliseconds at_most) {
    return wait_until([this, line = added.load()] { return written >= line; }, at_most);
  }

  void run();
  void sleep();
  struct Taken {
    std::uint64_t last_line = 0;
    std::uint64_t dropped_behind = 0;
  };
  Taken take(std::string& text);
  void say_what_was_dropped();
  void write_lines(std::string_view text);
  std::size_t write_some(std::string_view text);
  bool await_room() const;

  const int descriptor;
  const Notice notice;
  const Limits limits;

  // A semaphore, because a signal handler may post it.
  sem_t awake{};
  std::atomic<bool> woken{false};
  std::atomic<bool> stopping{false};
  std::atomic<bool> abandoned{false};
  std::atomic<bool> finished{false};
  // Numbers of lines: the last one added, and the last one written or given up.
  std::atomic<std::uint64_t> added{0};
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> dropped{0};

  std::mutex mutex;
  std::string queued;
  // Since the queue is full: their place is behind what it holds.
  std::uint64_t dropped_behind = 0;

  // Of the writer's thread.
  std::uint64_t unsaid = 0;
  // The last line was cut off by an error.
  bool torn = false;
};

void LogWriter::State::run() {
  std::string text;
  for (;;) {
    const bool last_round = stopping;
    if (abandoned) break;
    say_what_was_dropped();
    const auto taken = take(text);
    if (!text.empty()) {
      write_lines(text);
      unsaid += taken.dropped_behind;
      written = taken.last_line;
    } else if (last_round) {
      break;
    } else {
      sleep();
    }
  }
  finished = true;
}

void LogWriter::State::sleep() {
  timespec until{};
  ::clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += std::chrono::nanoseconds(unasked_interval).count();
  until.tv_sec += until.tv_nsec / 1'000'000'000;
  until.tv_nsec %= 1'000'000'000;
  static_cast<void>(::sem_clockwait(&awake, CLOCK_MONOTONIC, &until));
  woken = false;
}

// Empties the queue into `text`.
LogWriter::State::Taken LogWriter::State::take(std::string& text) {
  text.clear();
  if (text.capacity() > kept_bytes) std::string().swap(text);
  const std::lock_guard lock(mutex);
  std::swap(text, queued);
  return {added, std::exchange(dropped_behind, 0)};
}

void LogWriter::State::say_what_was_dropped() {
  if (unsaid == 0) return;
  const auto line = notice(unsaid) + '\n';
  if (write_some(line) == line.size()) unsaid = 0;
}

void LogWriter::State::write_lines(std::string_view text) {
  const auto size = write_some(text);
  const auto refused = count_lines(text.substr(size));
  dropped += refused;
  unsaid += refused;
}

// How much was written: less than all when the descriptor refuses the rest.
std::size_t LogWriter::State::write_some(std::string_view text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const std::string_view rest = torn ? std::string_view("\n") : text.substr(done);
    const auto size = ::write(descriptor, rest.data(), rest.size());
    if (size < 0) {
      if (errno == EINTR || ((errno == EAGAIN || errno == EWOULDBLOCK) && await_room())) continue;
      break;
    }
    if (torn) {
      torn = size == 0;
    } else {
      done += static_cast<std::size_t>(size);
    }
  }
  if (done > 0) torn = text[done - 1] != '\n';
  return done;
}

bool LogWriter::State::await_room() const {
  pollfd room{.fd = descriptor, .events = POLLOUT, .revents = 0};
  static_cast<void>(::poll(&room, 1, static_cast<int>(unasked_interval.count())));
  return !abandoned;
}

namespace {

// What a signal handler needs; of the one log that asked for it.
std::atomic<void*> at_abort{nullptr};

}  // namespace

LogWriter::LogWriter(int descriptor, Notice notice, Limits limits)
    : state_(std::make_shared<State>(descriptor, std::move(notice), limits)) {
  // No signal of the process's is handled there; one that comes of writing (SIGPIPE) stays pending.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([state = state_] { state->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  void* mine = state_.get();
  at_abort.compare_exchange_strong(mine, nullptr);
  state_->stopping = true;
  state_->wake();
  if (state_->wait_until([this] { return state_->finished.load(); }, state_->limits.end_max)) {
    thread_.join();
  } else {
    state_->abandoned = true;
    thread_.detach();
  }
}

void LogWriter::add(std::string_view line) {
  auto& state = *state_;
  bool many = false;
  {
    const std::lock_guard lock(state.mutex);
    if (state.queued.size() + line.size() >= state.limits.queued_bytes_max) {
      ++state.dropped_behind;
      ++state.dropped;
      return;
    }
    state.queued.append(line);
    state.queued.push_back('\n');
    state.added.fetch_add(1, std::memory_order_relaxed);
    many = state.queued.size() >= many_bytes;
  }
  if (many) state.wake();
}

void LogWriter::wake() {
  if (state_->written < state_->added) state_->wake();
}

bool LogWriter::drain(milliseconds at_most) {
  return state_->wait_until_written(at_most);
}

std::uint64_t LogWriter::dropped() const {
  return state_->dropped;
}

void LogWriter::write_at_abort() {
  at_abort = state_.get();
  struct sigaction action{};
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  action.sa_handler = [](int) {
    if (auto* state = static_cast<State*>(at_abort.load())) state->wait_until_written(state->limits.end_max);
  };
  ::sigaction(SIGABRT, &action, nullptr);
}

}  // namespace switchyard
