// What every program's main() does around its own work: signals, limits, and errors as exit codes.
#pragma once

#include <functional>

namespace switchyard::service {

// Exit codes of all programs.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_configuration = 2;

// Runs `body` and returns its exit code. A ConfigError becomes 2 and any other exception 1, each with one
// line on standard error that begins with the program's name.
int run_program(const char* name, const std::function<int()>& body);

// Blocks SIGTERM and SIGINT for this thread and those it starts, ignores SIGPIPE and SIGXFSZ, and raises the
// limit of open files to what the system allows. Call it before the first thread is started.
void prepare_process();

// Blocks until SIGTERM or SIGINT arrives; gives its number.
int wait_for_stop_signal();

}  // namespace switchyard::service
