// What every program's main() does around its own work: signals, limits, and errors as exit codes.
#pragma once

#include <chrono>
#include <functional>

#include "telemetry/log.hpp"

namespace switchyard::service {

// Exit codes of all programs.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_configuration = 2;

// Runs `body` and returns its exit code. Files that it creates are for their owner only. A ConfigError
// becomes 2 and any other exception 1, each with one line on standard error that begins with the program's
// name.
int run_program(const char* name, const std::function<int()>& body);

// Writes what was printed to standard output. What was printed is a result only when it has arrived, and a
// full disk shows here: throws std::runtime_error.
void finish_output();

// A program without commands: all it is told stands in the environment.
struct Program {
  const char* name;
  const char* purpose;
  // The variables without which it does not start, or that say where it is, and where all of them are
  // explained.
  const char* settings;
};

// The same for such a program. Knows --help and --version; anything else on the command line starts nothing,
// and gives 2 with a line that says what was not understood.
int run_program(const Program& program, int argc, char** argv, const std::function<int()>& body);

// Blocks SIGTERM, SIGINT and SIGHUP for this thread and those it starts, ignores SIGPIPE and SIGXFSZ, and
// raises the limit of open files to what the system allows. Call it before the first thread is started.
//
// A start can take long: a database that does not answer, many passwords to hash. Until finish_start() such a
// signal ends the process at once, as if it were not blocked.
void prepare_process();

// From here on wait_for_stop_signal() takes the signals. Call it before anything is accepted or sent.
void finish_start();

// While it lives, what ends the process is said in `log`, too. One at a time; the log outlives it.
//
// An exception that leaves a thread or a task of a TaskGroup is a bug, and a program that goes on without its
// connector or its queue would look healthy and do nothing. So run_program() has it end the process: exit
// code 1, with the reason on standard error and in the log.
class FatalErrorLog {
 public:
  explicit FatalErrorLog(Log& log);
  ~FatalErrorLog();
  FatalErrorLog(const FatalErrorLog&) = delete;
  FatalErrorLog& operator=(const FatalErrorLog&) = delete;
};

// Blocks until SIGTERM, SIGINT or SIGHUP (a terminal that was closed) arrives; returns its number. A SIGHUP
// that was ignored when the program started, as nohup does, stays ignored.
int wait_for_stop_signal();

// The same, but not for longer than this: true if a signal came.
bool wait_for_stop_signal(std::chrono::seconds at_most);

}  // namespace switchyard::service
