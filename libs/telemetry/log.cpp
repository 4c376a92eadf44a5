#include "telemetry/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <chrono>
#include <ctime>

#include "money/card_number.hpp"

namespace switchyard {
namespace {

constexpr std::size_t line_bytes_max = 4096;

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

// Control characters would let a value forge a line of its own.
void append_one_line(fmt::memory_buffer& line, std::string_view text) {
  for (const char c : text) line.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
}

void append_json_string(fmt::memory_buffer& line, std::string_view text) {
  line.append(boost::json::serialize(boost::json::string_view(text.data(), text.size())));
}

void append_json(fmt::memory_buffer& line, LogLevel level, std::string_view message, Log::Fields fields) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto ms = now.time_since_epoch().count() % 1000;
  fmt::format_to(std::back_inserter(line), R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","message":)",
                 fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms, name_of(level));
  append_json_string(line, message);
  for (const auto& field : fields) {
    fmt::format_to(std::back_inserter(line), R"(,"{}":)", field.name);
    if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
      fmt::format_to(std::back_inserter(line), "{}", *number);
    } else {
      append_json_string(line, std::get<std::string_view>(field.value));
    }
  }
  line.push_back('}');
}

std::string_view cut(std::string_view text) { return text.substr(0, line_bytes_max); }

}  // namespace

Log::Log(LogFormat format, LogLevel least)
    : format_(format),
      least_(least),
      sink_(std::make_unique<spdlog::logger>("switchyard", std::make_shared<spdlog::sinks::stdout_sink_mt>())) {
  sink_->set_pattern("%v");
  sink_->set_level(spdlog::level::debug);
  sink_->flush_on(spdlog::level::warn);
}

Log::~Log() { flush(); }

void Log::flush() { sink_->flush(); }

void Log::write(LogLevel level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  fmt::memory_buffer line;
  if (format_ == LogFormat::json) {
    append_json(line, level, cut(message), fields);
  } else {
    line.append(local_time_of_day());
    line.push_back(' ');
    append_one_line(line, cut(message));
  }
  const std::string_view text(line.data(), line.size());
  if (contains_card_number(text)) {
    sink_->log(spdlog_level(level), redact_card_numbers(text));
  } else {
    sink_->log(spdlog_level(level), text);
  }
}

void Log::print(std::string_view message, Fields fields) {
  if (format_ == LogFormat::json) return write(LogLevel::info, message, fields);
  if (!enabled(LogLevel::info)) return;
  fmt::memory_buffer line;
  append_one_line(line, cut(message));
  sink_->info(std::string_view(line.data(), line.size()));
}

}  // namespace switchyard
