#include "service/program.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "base/assert.hpp"

namespace switchyard::service {
namespace {

using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::KilledBySignal;

class Pipe {
 public:
  Pipe() { SWITCHYARD_ASSERT(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) == 0); }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void fill() {
    const std::string block(4096, '.');
    while (::write(ends_[1], block.data(), block.size()) > 0) {
    }
  }
  // From now on who writes to `descriptor` writes here, and waits if there is no room.
  void stand_for(int descriptor) {
    ::fcntl(ends_[1], F_SETFL, 0);
    SWITCHYARD_ASSERT(::dup2(ends_[1], descriptor) == descriptor);
  }
  std::string read() {
    std::string text(65536, '\0');
    const auto size = ::read(ends_[0], text.data(), text.size());
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

int run_with_a_bug_in_a_thread() {
  return run_program("program", [] {
    Log log(LogFormat::json, LogLevel::error);
    const FatalErrorLog fatal_error_log(log);
    std::thread([] { throw std::runtime_error("a broken loop"); }).join();
    return exit_ok;
  });
}

TEST(ProgramDeathTest, WhatEndsAThreadEndsTheProcessAndIsInItsLog) {
  Pipe log;
  EXPECT_EXIT(
      {
        log.stand_for(STDOUT_FILENO);
        ::_exit(run_with_a_bug_in_a_thread());
      },
      ExitedWithCode(exit_failure), "program: a bug ended the process: a broken loop");
  EXPECT_THAT(log.read(), HasSubstr(R"("message":"A bug ended the process: a broken loop")"));
}

TEST(ProgramDeathTest, ABugEndsTheProcessThoughNobodyReadsWhatItSays) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer puts signals off, and what ends this process is one";
#endif
  Pipe full;
  full.fill();
  EXPECT_EXIT(
      {
        full.stand_for(STDOUT_FILENO);
        full.stand_for(STDERR_FILENO);
        ::_exit(run_with_a_bug_in_a_thread());
      },
      ExitedWithCode(exit_failure), "");
}

TEST(ProgramDeathTest, ASignalThatComesDuringTheStartEndsTheProcess) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    EXPECT_EXIT(
        {
          std::signal(signal, SIG_DFL);
          prepare_process();
          ::kill(::getpid(), signal);
          for (;;) ::pause();
        },
        KilledBySignal(signal), "");
  }
}

TEST(ProgramDeathTest, ASignalThatComesAfterTheStartIsWaitedFor) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    EXPECT_EXIT(
        {
          std::signal(signal, SIG_DFL);
          prepare_process();
          finish_start();
          ::kill(::getpid(), signal);
          ::_exit(wait_for_stop_signal());
        },
        ExitedWithCode(signal), "");
  }
}

TEST(ProgramDeathTest, OutputThatCannotBeWrittenIsAFailure) {
  const auto print_to = [](const char* path) {
    return run_program("program", [path] {
      SWITCHYARD_ASSERT(::dup2(::open(path, O_WRONLY | O_CLOEXEC), STDOUT_FILENO) == STDOUT_FILENO);
      std::puts("a result");
      finish_output();
      return exit_ok;
    });
  };
  EXPECT_EXIT(::_exit(print_to("/dev/full")), ExitedWithCode(exit_failure),
              "standard output cannot be written");
  EXPECT_EXIT(::_exit(print_to("/dev/null")), ExitedWithCode(exit_ok), "");
}

}  // namespace
}  // namespace switchyard::service
