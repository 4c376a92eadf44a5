#include "telemetry/log.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <mutex>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

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

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// localtime_r takes a process-wide lock and reads the time zone: once a second and thread is enough.
std::string_view local_time_of_day() {
  thread_local std::time_t formatted_for = 0;
  thread_local char text[sizeof("HH:MM:SS")];
  const std::time_t now = std::time(nullptr);
  if (now != formatted_for) {
    std::tm local{};
    ::localtime_r(&now, &local);
    std::strftime(text, sizeof(text), "%H:%M:%S", &local);
    formatted_for = now;
  }
  return {text, sizeof(text) - 1};
}

// Of the two bytes of a control character above ASCII, U+0080 to U+009F; a terminal acts on some of them.
bool is_c1(std::string_view character) {
  return character.size() == 2 && character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;
}

// Control characters would let a value forge a line of its own.
void append_one_line(fmt::memory_buffer& line, std::string_view text) {
  while (!text.empty()) {
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

void append_json(fmt::memory_buffer& line, LogLevel level, std::string_view message, Log::Fields fields) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
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

// spdlog's own sink for standard output flushes each line.
class BufferedStdout final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::fwrite(line.data(), 1, line.size(), stdout);
  }
  void flush_() override { std::fflush(stdout); }
};

}  // namespace

Log::Log(LogFormat format, LogLevel least)
    : format_(format),
      least_(least),
      sink_(std::make_unique<spdlog::logger>("switchyard", std::make_shared<BufferedStdout>())) {
  sink_->set_pattern("%v");
  sink_->set_level(spdlog::level::debug);
  sink_->flush_on(spdlog::level::warn);
}

Log::~Log() {
  flush();
}

void Log::flush() {
  sink_->flush();
}

void Log::write(LogLevel level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  fmt::memory_buffer line;
  if (format_ == LogFormat::json) {
    append_json(line, level, message, fields);
    sink_->log(spdlog_level(level), std::string_view(line.data(), line.size()));
  } else {
    line.append(local_time_of_day());
    line.push_back(' ');
    append_one_line(line, message);
    write_text(level, {line.data(), line.size()});
  }
}

void Log::print(std::string_view message, Fields fields) {
  if (format_ == LogFormat::json) return write(LogLevel::info, message, fields);
  if (!enabled(LogLevel::info)) return;
  fmt::memory_buffer line;
  append_one_line(line, message);
  write_text(LogLevel::info, {line.data(), line.size()});
}

void Log::write_text(LogLevel level, std::string_view line) {
  std::string memory;
  sink_->log(spdlog_level(level), without_card_numbers(line, line_bytes_max, memory));
}

}  // namespace switchyard
