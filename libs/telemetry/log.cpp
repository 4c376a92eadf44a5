#include "telemetry/log.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/utf8.hpp"
#include "money/card_number.hpp"

namespace switchyard {
namespace {

constexpr std::size_t line_bytes_max = 4096;
// In a JSON line, which must not be cut through: no event has more than five fields.
constexpr std::size_t message_bytes_max = 2048;
constexpr std::size_t field_bytes_max = 256;

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

// What stands before a message in text.
std::string_view mark_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "DEBUG ";
    case LogLevel::info:
      return "";
    case LogLevel::warning:
      return "WARNING ";
    case LogLevel::error:
      return "ERROR ";
  }
  return "ERROR ";
}

struct LocalTime {
  std::chrono::sys_seconds at{std::chrono::seconds(-1)};
  std::int64_t day = 0;
  std::array<char, sizeof("HH:MM:SS")> time_of_day{};
  std::array<char, sizeof("YYYY-MM-DD, UTC+hhmm")> date{};
};

// localtime_r takes a process-wide lock and reads the time zone: once a second and thread is enough.
const LocalTime& local_time(std::chrono::sys_seconds now) {
  thread_local LocalTime last;
  if (now == last.at) return last;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  last.at = now;
  last.day = (seconds + local.tm_gmtoff) / (24 * 60 * 60);
  std::strftime(last.time_of_day.data(), last.time_of_day.size(), "%H:%M:%S", &local);
  std::strftime(last.date.data(), last.date.size(), "%Y-%m-%d, UTC%z", &local);
  return last;
}

// Of the two bytes of a control character above ASCII, U+0080 to U+009F; a terminal acts on some of them.
bool is_c1(std::string_view character) {
  return character.size() == 2 && character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;
}

// Control characters would let a value forge a line of its own.
void append_one_line(fmt::memory_buffer& line, std::string_view text) {
  for (;;) {
    const auto plain = printable_ascii_prefix(text);
    line.append(plain);
    text.remove_prefix(plain.size());
    if (text.empty()) return;
    const auto size = utf8_size_of_first(text);
    const auto character = text.substr(0, std::max<std::size_t>(size, 1));
    text.remove_prefix(character.size());
    if (size == 0) {
      line.push_back('?');
    } else if (static_cast<unsigned char>(character[0]) < 0x20 || character[0] == 0x7f || is_c1(character)) {
      line.push_back(' ');
    } else {
      line.append(character);
    }
  }
}

// With its quotes. JSON is UTF-8 (RFC 8259, 8.1): a line with one wrong byte could not be read at all. It
// lets DEL and the controls above ASCII stand as they are, which are escaped here, too.
std::string json_string(std::string_view text) {
  const auto utf8 = as_utf8(text);
  auto quoted = boost::json::serialize(boost::json::string_view(utf8.data(), utf8.size()));
  if (quoted.find_first_of("\x7f\xc2") == std::string::npos) return quoted;
  std::string escaped;
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] == 0x7f) {
      escaped += "\\u007f";
    } else if (is_c1(std::string_view(quoted).substr(i, 2))) {
      escaped += fmt::format("\\u00{:02x}", static_cast<unsigned char>(quoted[++i]));
    } else {
      escaped += quoted[i];
    }
  }
  return escaped;
}

// Redacts before it cuts: without its last digit a card number is none any more to the eye that looks for it.
// And again where something was cut off: what is left of a longer run of digits may be one. `memory` holds
// what changed.
std::string_view without_card_numbers(std::string_view text, std::size_t bytes_max, std::string& memory) {
  if (contains_card_number(text)) text = memory = redact_card_numbers(text);
  const auto kept = cut_utf8(text, bytes_max);
  if (kept.size() == text.size() || !contains_card_number(kept)) return kept;
  return memory = redact_card_numbers(kept);
}

// Redacts before it escapes, too: behind the "n" of an escaped line break a card number would not be seen.
void append_json_string(fmt::memory_buffer& line, std::string_view text, std::size_t bytes_max) {
  constexpr std::size_t escaped_bytes_max = sizeof("\\u0000") - 1;
  std::string memory;
  const auto whole = json_string(without_card_numbers(text, bytes_max, memory));
  if (whole.size() <= bytes_max + 2) return line.append(whole);
  line.append(json_string(without_card_numbers(text, bytes_max / escaped_bytes_max, memory)));
}

void append_json_number(fmt::memory_buffer& line, std::int64_t number) {
  const fmt::format_int digits(number);
  if (contains_card_number({digits.data(), digits.size()}))
    return append_json_string(line, digits.c_str(), digits.size());
  line.append(std::string_view(digits.data(), digits.size()));
}

void append_json(fmt::memory_buffer& line, Timestamp now, LogLevel level, std::string_view message,
                 Log::Fields fields) {
  const auto ms = now.time_since_epoch().count() % 1000;
  fmt::format_to(std::back_inserter(line),
                 R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","message":)",
                 fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms, name_of(level));
  append_json_string(line, message, message_bytes_max);
  for (const auto& field : fields) {
    fmt::format_to(std::back_inserter(line), R"(,"{}":)", field.name);
    if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
      append_json_number(line, *number);
    } else {
      append_json_string(line, std::get<std::string_view>(field.value), field_bytes_max);
    }
  }
  line.push_back('}');
}

LogWriter::Notice notice_in(LogFormat format, const Clock& clock) {
  return [format, &clock](std::uint64_t dropped) {
    const auto message =
        fmt::format("{} lines of the log were dropped: they were not read or written in time", dropped);
    if (format == LogFormat::text) {
      const auto now = std::chrono::floor<std::chrono::seconds>(clock.now());
      return fmt::format("{} {}{}", local_time(now).time_of_day.data(), mark_of(LogLevel::warning), message);
    }
    fmt::memory_buffer line;
    append_json(line, clock.now(), LogLevel::warning, message,
                {{"dropped", static_cast<std::int64_t>(dropped)}});
    return fmt::to_string(line);
  };
}

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace

Log::Log(LogFormat format, LogLevel least) : Log(format, least, system_clock()) {}

Log::Log(LogFormat format, LogLevel least, const Clock& clock)
    : format_(format),
      least_(least),
      clock_(clock),
      day_(local_time(std::chrono::floor<std::chrono::seconds>(clock.now())).day),
      writer_(STDOUT_FILENO, notice_in(format, clock), {}) {}

void Log::write(LogLevel level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  fmt::memory_buffer line;
  if (format_ == LogFormat::json) {
    append_json(line, clock_.now(), level, message, fields);
    writer_.add({line.data(), line.size()});
  } else {
    const auto now = std::chrono::floor<std::chrono::seconds>(clock_.now());
    const auto& local = local_time(now);
    if (day_.load(std::memory_order_relaxed) != local.day && day_.exchange(local.day) != local.day)
      writer_.add(fmt::format("{} The date is {}", local.time_of_day.data(), local.date.data()));
    line.append(std::string_view(local.time_of_day.data()));
    line.push_back(' ');
    line.append(mark_of(level));
    append_one_line(line, message);
    write_text({line.data(), line.size()});
  }
  if (level >= LogLevel::warning) writer_.wake();
}

void Log::print(std::string_view message, Fields fields) {
  if (format_ == LogFormat::json) return write(LogLevel::info, message, fields);
  if (!enabled(LogLevel::info)) return;
  fmt::memory_buffer line;
  append_one_line(line, message);
  write_text({line.data(), line.size()});
}

void Log::say_date() {
  constexpr std::int64_t of_no_line = -1;
  day_ = of_no_line;
}

void Log::write_text(std::string_view line) {
  std::string memory;
  writer_.add(without_card_numbers(line, line_bytes_max, memory));
}

}  // namespace switchyard
