#include "telemetry/log_writer.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/testing.hpp"

namespace switchyard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::eventually;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr LogWriter::Limits small{.queued_bytes_max = std::size_t{64} * 1024, .end_max = milliseconds(50)};

std::string notice(std::uint64_t dropped) {
  return "dropped " + std::to_string(dropped);
}

class Pipe {
 public:
  explicit Pipe(int flags = 0) {
    SWITCHYARD_ASSERT(::pipe2(ends_.data(), O_CLOEXEC | flags) == 0);
    ::fcntl(read_end(), F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    close_read_end();
    ::close(write_end());
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_read_end() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }
  // Nobody writes for a while.
  std::string& read() {
    std::array<char, 65536> part{};
    for (ssize_t size = 0; (size = ::read(read_end(), part.data(), part.size())) > 0;)
      text_.append(part.data(), static_cast<std::size_t>(size));
    return text_;
  }
  bool read_until(std::string_view last) {
    return eventually([&] { return read().ends_with(last); });
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    std::istringstream text(text_);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
  std::string text_;
};

// More than a pipe and both queues hold.
void add_too_many(LogWriter& writer) {
  for (int i = 0; writer.dropped() < 10; ++i) writer.add(std::to_string(i) + std::string(1'000, '.'));
}

TEST(LogWriter, WritesLinesInTheirOrder) {
  Pipe pipe;
  LogWriter writer(pipe.write_end(), notice, small);
  for (int i = 0; i < 100; ++i) writer.add(std::to_string(i));
  EXPECT_TRUE(writer.drain(seconds(30)));
  pipe.read();
  const auto lines = pipe.lines();
  ASSERT_THAT(lines, SizeIs(100));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(lines[static_cast<std::size_t>(i)], std::to_string(i));
  EXPECT_EQ(writer.dropped(), 0U);
}

TEST(LogWriter, WritesALineThatNobodyAsksFor) {
  Pipe pipe;
  LogWriter writer(pipe.write_end(), notice, small);
  writer.add("alone");
  EXPECT_TRUE(pipe.read_until("alone\n"));
}

TEST(LogWriter, NeverWaitsForWhoDoesNotReadAndSaysAfterwardsWhatWasDropped) {
  for (const int flags : {0, O_NONBLOCK}) {
    Pipe pipe(flags);
    LogWriter writer(pipe.write_end(), notice, small);
    add_too_many(writer);
    const auto dropped = writer.dropped();
    EXPECT_TRUE(pipe.read_until("dropped " + std::to_string(dropped) + "\n"));
    writer.add("later");
    EXPECT_TRUE(pipe.read_until("later\n"));
    const auto lines = pipe.lines();
    ASSERT_GT(lines.size(), 2U);
    for (std::size_t i = 0; i + 2 < lines.size(); ++i)
      EXPECT_TRUE(lines[i].starts_with(std::to_string(i) + ".")) << "all up to the first that was dropped";
    EXPECT_EQ(writer.dropped(), dropped);
  }
}

TEST(LogWriter, EndsInTimeThoughNobodyReads) {
  Pipe pipe;
  {
    LogWriter writer(pipe.write_end(), notice, small);
    add_too_many(writer);
  }
  EXPECT_TRUE(pipe.read_until("\n")) << "the thread that was left behind ends with its write";
}

TEST(LogWriter, WritesWhatIsQueuedBeforeItEnds) {
  Pipe pipe;
  {
    LogWriter(pipe.write_end(), notice, small).add("last");
  }
  pipe.read();
  EXPECT_THAT(pipe.lines(), ElementsAre("last"));
}

TEST(LogWriter, SurvivesAClosedPipe) {
  Pipe pipe;
  LogWriter writer(pipe.write_end(), notice, small);
  pipe.close_read_end();
  for (int i = 0; i < 10; ++i) writer.add("line");
  EXPECT_TRUE(writer.drain(seconds(30)));
  EXPECT_EQ(writer.dropped(), 10U);
}

TEST(LogWriter, SurvivesAFullDiskAndGoesOnWhenThereIsRoom) {
  const int file = ::memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  LogWriter writer(file, notice, small);
  writer.add("before");
  ASSERT_TRUE(writer.drain(seconds(30)));
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  const int log = ::dup(file);
  ASSERT_GE(::dup2(full, file), 0);
  writer.add("one");
  writer.add("two");
  ASSERT_TRUE(writer.drain(seconds(30)));
  EXPECT_EQ(writer.dropped(), 2U);
  ASSERT_GE(::dup2(log, file), 0);
  writer.add("after");
  ASSERT_TRUE(writer.drain(seconds(30)));
  std::string text(200, '\0');
  text.resize(static_cast<std::size_t>(::pread(log, text.data(), text.size(), 0)));
  EXPECT_EQ(text, "before\ndropped 2\nafter\n");
  ::close(full);
  ::close(log);
}

TEST(LogWriterDeathTest, AnAbortWritesWhatIsQueued) {
  Pipe pipe;
  EXPECT_EXIT(
      {
        LogWriter writer(pipe.write_end(), notice, small);
        writer.write_at_abort();
        writer.add("the last words");
        std::abort();
      },
      ::testing::KilledBySignal(SIGABRT), "");
  pipe.read();
  EXPECT_THAT(pipe.lines(), ElementsAre("the last words"));
}

TEST(LogWriterDeathTest, AnAbortEndsInTimeThoughNobodyReads) {
  Pipe pipe;
  EXPECT_EXIT(
      {
        LogWriter writer(pipe.write_end(), notice, small);
        writer.write_at_abort();
        add_too_many(writer);
        std::abort();
      },
      ::testing::KilledBySignal(SIGABRT), "");
}

TEST(LogWriter, CountsEachLineOfManyThreadsOnce) {
  Pipe pipe;
  pipe.close_read_end();
  LogWriter writer(pipe.write_end(), notice, small);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&writer] {
        for (int line = 0; line < 10'000; ++line) writer.add("a line that nobody will read");
      });
    }
  }
  EXPECT_TRUE(writer.drain(seconds(30)));
  EXPECT_EQ(writer.dropped(), 40'000U);
}

}  // namespace
}  // namespace switchyard
