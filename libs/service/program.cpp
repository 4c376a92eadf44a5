#include "service/program.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/environment.hpp"
#include "base/version.hpp"

namespace switchyard::service {
namespace {

// A signal that is blocked is delivered to sigwait() even if it is ignored, so an ignored one must not be
// among them.
bool is_ignored(int signal) {
  struct sigaction current{};
  return ::sigaction(signal, nullptr, &current) == 0 && current.sa_handler == SIG_IGN;
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (!is_ignored(SIGHUP)) sigaddset(&signals, SIGHUP);
  return signals;
}

// As the signal does where nobody blocks it; the first process of a container ignores that.
[[noreturn]] void end_by(int signal) {
  sigset_t only_this;
  sigemptyset(&only_this);
  sigaddset(&only_this, signal);
  pthread_sigmask(SIG_UNBLOCK, &only_this, nullptr);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  constexpr int killed_by = 128;
  ::_exit(killed_by + signal);
}

// Ends the process at a stop signal while it lives. Such signals are blocked in every thread.
class StartWatch {
 public:
  StartWatch()
      : signals_(stop_signals()),
        arrived_(::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK)),
        done_(::eventfd(0, EFD_CLOEXEC)) {
    if (arrived_ < 0 || done_ < 0) return;
    thread_ = std::thread([this] { watch(); });
  }
  ~StartWatch() {
    if (thread_.joinable()) {
      ::eventfd_write(done_, 1);
      thread_.join();
    }
    if (arrived_ >= 0) ::close(arrived_);
    if (done_ >= 0) ::close(done_);
  }
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;

 private:
  void watch() const {
    for (;;) {
      std::array<pollfd, 2> events{pollfd{done_, POLLIN, 0}, pollfd{arrived_, POLLIN, 0}};
      if (::poll(events.data(), events.size(), -1) < 0) continue;
      // A signal that came in the same moment stays for wait_for_stop_signal().
      if (events[0].revents != 0) return;
      signalfd_siginfo signal{};
      if (::read(arrived_, &signal, sizeof(signal)) == sizeof(signal))
        end_by(static_cast<int>(signal.ssi_signo));
    }
  }

  const sigset_t signals_;
  const int arrived_;
  const int done_;
  std::thread thread_;
};

std::unique_ptr<StartWatch> start_watch;

// Of the process, as the terminate handler that reads them is.
std::atomic<const char*> program_name = "switchyard";
std::atomic<Log*> fatal_error_log = nullptr;

std::string what_ended_us() {
  const auto failure = std::current_exception();
  if (!failure) return "std::terminate was called";
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that says nothing";
  }
}

// Standard error and the log may be pipes that nobody reads: neither keeps a process from its end.
constexpr unsigned end_max_s = 5;
constexpr std::chrono::seconds last_lines_max{2};

[[noreturn]] void end_process() {
  // Another thread may be here already: its words are enough.
  static std::atomic_flag entered;
  while (entered.test_and_set()) ::pause();
  std::signal(SIGALRM, [](int) { ::_exit(exit_failure); });
  ::alarm(end_max_s);
  const auto reason = what_ended_us();
  if (auto* log = fatal_error_log.load()) {
    log->error(fmt::format("A bug ended the process: {}", reason));
    log->drain(last_lines_max);
  }
  std::fprintf(stderr, "%s: a bug ended the process: %s\n", program_name.load(), reason.c_str());
  ::_exit(exit_failure);
}

}  // namespace

FatalErrorLog::FatalErrorLog(Log& log) {
  fatal_error_log = &log;
}

FatalErrorLog::~FatalErrorLog() {
  fatal_error_log = nullptr;
}

int run_program(const char* name, const std::function<int()>& body) {
  program_name = name;
  std::set_terminate(end_process);
  // Whatever a program of ours creates holds hashes of passwords and payments.
  ::umask(S_IRWXG | S_IRWXO);
  try {
    return body();
  } catch (const ConfigError& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return exit_configuration;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return exit_failure;
  }
}

void finish_output() {
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout) {
    throw std::runtime_error(fmt::format("standard output cannot be written: {}", std::strerror(errno)));
  }
}

int run_program(const Program& program, int argc, char** argv, const std::function<int()>& body) {
  CLI::App app(program.purpose, program.name);
  app.footer(std::string("\n") + program.settings);
  app.set_version_flag("--version", std::string(version));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return run_program(program.name, [&app, &error] {
        app.exit(error);
        finish_output();
        return exit_ok;
      });
    }
    std::fprintf(stderr, "%s: %s; it is configured by environment variables, see: %s --help\n", program.name,
                 error.what(), program.name);
    return exit_configuration;
  }
  return run_program(program.name, body);
}

void prepare_process() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A client that has gone and a file-size limit are errors of one call, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);

  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  start_watch = std::make_unique<StartWatch>();
}

void finish_start() {
  start_watch.reset();
}

int wait_for_stop_signal() {
  finish_start();
  const sigset_t signals = stop_signals();
  int signal = 0;
  sigwait(&signals, &signal);
  return signal;
}

bool wait_for_stop_signal(std::chrono::seconds at_most) {
  const sigset_t signals = stop_signals();
  const auto end = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::nanoseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    constexpr auto second = std::chrono::nanoseconds(std::chrono::seconds(1)).count();
    const timespec timeout{.tv_sec = left.count() / second, .tv_nsec = left.count() % second};
    if (sigtimedwait(&signals, nullptr, &timeout) > 0) return true;
    // Nothing came, or another signal's handler ran.
  }
}

}  // namespace switchyard::service
