// The log: whatever a message and a field hold, an event is one line within its bound, without control
// characters and card numbers, and valid JSON where it is JSON.
#include <algorithm>
#include <cstdio>
#include <string>

#include <boost/json/parse.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "base/utf8.hpp"
#include "fuzz/input.hpp"
#include "money/card_number.hpp"
#include "telemetry/log.hpp"

namespace switchyard::fuzz {
namespace {

namespace json = boost::json;

constexpr std::size_t line_bytes_max = 4096;

// Standard output, which nothing else of a fuzzer uses, as a file in memory.
class CapturedOutput {
 public:
  CapturedOutput() : file_(::memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    std::fflush(stdout);
    SWITCHYARD_ASSERT(file_ >= 0 && ::dup2(file_, STDOUT_FILENO) >= 0);
  }

  // What has come since the last time.
  std::string take() {
    std::string text(static_cast<std::size_t>(::lseek(file_, 0, SEEK_END)), '\0');
    SWITCHYARD_ASSERT(::pread(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    SWITCHYARD_ASSERT(::ftruncate(file_, 0) == 0 && ::lseek(file_, 0, SEEK_SET) == 0);
    return text;
  }

 private:
  int file_;
};

void check_line(std::string_view line) {
  SWITCHYARD_ASSERT(line.ends_with('\n'));
  line.remove_suffix(1);
  SWITCHYARD_ASSERT(line.size() <= line_bytes_max);
  SWITCHYARD_ASSERT(
      std::ranges::none_of(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
  // Nor a control character above ASCII, in UTF-8.
  SWITCHYARD_ASSERT(as_utf8(line) == line);
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    SWITCHYARD_ASSERT(line[i] != '\xc2' || static_cast<unsigned char>(line[i + 1]) >= 0xa0);
  }
  SWITCHYARD_ASSERT(!contains_card_number(line));
}

std::string_view text_of(const json::object& event, std::string_view name) {
  const auto& text = event.at(json::string_view(name.data(), name.size())).get_string();
  return {text.data(), text.size()};
}

// A text that is neither long nor odd is logged as it is.
bool is_plain(std::string_view text) {
  return text.size() <= 256 && !contains_card_number(text) &&
         std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

void check_event(std::string_view line, std::string_view message, std::string_view field) {
  check_line(line);
  json::error_code error;
  const auto value = json::parse(json::string_view(line.data(), line.size() - 1), error);
  SWITCHYARD_ASSERT(!error && value.is_object());
  const auto& event = value.get_object();
  SWITCHYARD_ASSERT(event.size() == 5);
  if (is_plain(message)) SWITCHYARD_ASSERT(text_of(event, "message") == message);
  if (is_plain(field)) SWITCHYARD_ASSERT(text_of(event, "field") == field);
  for (const auto& member : event) {
    if (member.value().is_string())
      SWITCHYARD_ASSERT(!contains_card_number(text_of(event, {member.key().data(), member.key().size()})));
  }
}

}  // namespace

// A number, then a line of text for a field; the rest is the message.
void check(Input input) {
  static CapturedOutput output;
  static Log as_text(LogFormat::text, LogLevel::debug);
  static Log as_json(LogFormat::json, LogLevel::debug);
  const auto number = input.number<std::int64_t>();
  const auto field = input.line();
  const auto message = input.rest();

  as_text.info(message, {{"field", field}});
  SWITCHYARD_ASSERT(as_text.drain(std::chrono::seconds(30)));
  const auto timed = output.take();
  check_line(timed);
  as_text.print(message);
  SWITCHYARD_ASSERT(as_text.drain(std::chrono::seconds(30)));
  check_line(output.take());
  if (is_plain(message)) SWITCHYARD_ASSERT(timed.substr(sizeof("HH:MM:SS")) == std::string(message) + "\n");

  as_json.warning(message, {{"field", field}, {"number", number}});
  SWITCHYARD_ASSERT(as_json.drain(std::chrono::seconds(30)));
  check_event(output.take(), message, field);
}

}  // namespace switchyard::fuzz
