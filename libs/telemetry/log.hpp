// The log: standard output, one event a line, as text or as JSON with the same facts.
//
// Text lines are what people read at a terminal and what RQ's workers print: "HH:MM:SS message" in local
// time. JSON lines hold time (RFC 3339, UTC), level, message and the event's fields. A line is at most 4 KiB
// of UTF-8 without control characters; card numbers are redacted. Safe to call from any thread. Lines are
// buffered: those at warning and above are flushed at once, others by flush(), which the owner of a loop
// calls when it goes idle.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace spdlog {
class logger;
}

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

  // Writes to the file descriptor behind `stdout`.
  Log(LogFormat format, LogLevel least);
  ~Log();

  void debug(std::string_view message, Fields fields = {}) { write(LogLevel::debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) { write(LogLevel::info, message, fields); }
  void warning(std::string_view message, Fields fields = {}) { write(LogLevel::warning, message, fields); }
  void error(std::string_view message, Fields fields = {}) { write(LogLevel::error, message, fields); }

  // A line without the time in front in text, as a program's own print() would be.
  void print(std::string_view message, Fields fields = {});

  bool enabled(LogLevel level) const { return level >= least_; }
  void flush();

 private:
  void write(LogLevel level, std::string_view message, Fields fields);
  void write_text(LogLevel level, std::string_view line);

  LogFormat format_;
  LogLevel least_;
  std::unique_ptr<spdlog::logger> sink_;
};

}  // namespace switchyard
