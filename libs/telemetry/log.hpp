// The log: standard output, one event a line, as text or as JSON with the same facts.
//
// Text lines are what people read at a terminal and what RQ's workers print: "HH:MM:SS message" in local
// time. Before a message at another level than info stands its level ("HH:MM:SS WARNING message"), and before
// the first line of a new day a line with the date. JSON lines hold time (RFC 3339, UTC), level, message and
// the event's fields. A line is at most 4 KiB of UTF-8 without control characters; card numbers are redacted.
//
// Safe to call from any thread, and never waits: a thread of the log's own writes (LogWriter). Lines at
// warning and above are written at once, others by flush(), which the owner of a loop calls when it goes
// idle, or a quarter of a second later. What nobody reads in time is dropped, counted and said.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.hpp"
#include "telemetry/log_writer.hpp"

namespace switchyard {

enum class LogFormat { text, json };
enum class LogLevel { debug, info, warning, error };

struct LogField {
  std::string_view name;
  std::variant<std::int64_t, std::string_view> value;
};

class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  // Writes to the file descriptor of standard output. The clock outlives the log.
  Log(LogFormat format, LogLevel least, const Clock& clock);
  Log(LogFormat format, LogLevel least);

  void debug(std::string_view message, Fields fields = {}) { write(LogLevel::debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) { write(LogLevel::info, message, fields); }
  void warning(std::string_view message, Fields fields = {}) { write(LogLevel::warning, message, fields); }
  void error(std::string_view message, Fields fields = {}) { write(LogLevel::error, message, fields); }

  // A line without the time in front in text, as a program's own print() would be.
  void print(std::string_view message, Fields fields = {});

  bool enabled(LogLevel level) const { return level >= least_; }

  // A text log says the date before its next line: for the start of a program.
  void say_date();

  // What was logged so far is written soon. Does not wait.
  void flush() { writer_.wake(); }
  // Waits until it is written; false if that takes longer.
  bool drain(std::chrono::milliseconds at_most) { return writer_.drain(at_most); }

  // How many lines were dropped since the start.
  std::uint64_t dropped() const { return writer_.dropped(); }
  void write_at_abort() { writer_.write_at_abort(); }

 private:
  void write(LogLevel level, std::string_view message, Fields fields);
  void write_text(std::string_view line);

  LogFormat format_;
  LogLevel least_;
  const Clock& clock_;
  // Days since 1970, of the last line of a text log.
  std::atomic<std::int64_t> day_;
  LogWriter writer_;
};

}  // namespace switchyard
