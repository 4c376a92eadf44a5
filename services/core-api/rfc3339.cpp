#include "core-api/rfc3339.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ranges>

#include "base/ascii.hpp"

namespace switchyard::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

// RFC 3339 has years of four digits.
constexpr std::chrono::sys_days years_end = std::chrono::year(10'000) / 1 / 1;

// With so many digits.
template <std::size_t digits>
void append_padded(std::string& out, std::int64_t number) {
  std::array<char, digits> text;
  for (auto& digit : text | std::views::reverse) {
    digit = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  out.append(text.data(), text.size());
}

// Reads from the front; once something did not fit, nothing does any more.
class TimeReader {
 public:
  explicit TimeReader(std::string_view rest) : rest_(rest) {}

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

  int number(std::size_t digits, int least, int most) {
    int value = 0;
    if (rest_.size() < digits) return fail();
    for (const char c : rest_.substr(0, digits)) {
      if (!is_digit(c)) return fail();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value < least || value > most ? fail() : value;
  }

  // Which of the characters it was; '\0' if none.
  char one_of(std::string_view characters) {
    if (rest_.empty() || !characters.contains(rest_.front())) {
      failed_ = true;
      return '\0';
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  // "secfrac", if there is one, rounded up.
  milliseconds fraction() {
    if (!rest_.starts_with('.')) return milliseconds(0);
    rest_.remove_prefix(1);
    const auto end = std::ranges::find_if_not(rest_, is_digit);
    const std::string_view digits(rest_.begin(), end);
    rest_.remove_prefix(digits.size());
    if (digits.empty()) fail();
    int ms = 0;
    for (std::size_t i = 0; i < 3; ++i) ms = ms * 10 + (i < digits.size() ? digits[i] - '0' : 0);
    const bool more = digits.size() > 3 && digits.find_first_not_of('0', 3) != std::string_view::npos;
    return milliseconds(ms + (more ? 1 : 0));
  }

  minutes zone() {
    const char sign = one_of("Zz+-");
    if (sign == 'Z' || sign == 'z') return minutes(0);
    const auto hours = number(2, 0, 23);
    one_of(":");
    const auto offset = minutes(hours * 60 + number(2, 0, 59));
    return sign == '-' ? -offset : offset;
  }

 private:
  int fail() {
    failed_ = true;
    return 0;
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

std::optional<Timestamp> parse_time(std::string_view text) {
  return parse_any_time(text).transform(nearest_storable);
}

Timestamp nearest_storable(Timestamp time) {
  constexpr std::chrono::sys_days first = std::chrono::year(1970) / 1 / 1;
  return std::clamp<Timestamp>(time, first, years_end - milliseconds(1));
}

std::optional<Timestamp> parse_any_time(std::string_view text) {
  TimeReader read(text);
  const auto year = read.number(4, 0, 9999);
  read.one_of("-");
  const auto month = static_cast<unsigned>(read.number(2, 1, 12));
  read.one_of("-");
  const auto day = static_cast<unsigned>(read.number(2, 1, 31));
  read.one_of("Tt");
  const auto hour = read.number(2, 0, 23);
  read.one_of(":");
  const auto minute = read.number(2, 0, 59);
  read.one_of(":");
  // A leap second is the next minute's first.
  const auto second = read.number(2, 0, 60);
  const auto fraction = read.fraction();
  const auto zone = read.zone();
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (read.failed() || !read.at_end() || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + minutes(minute) - zone +
         std::chrono::seconds(second) + fraction;
}

void append_time(std::string& out, Timestamp time) {
  constexpr std::chrono::sys_days first = std::chrono::year(0) / 1 / 1;
  time = std::clamp<Timestamp>(time, first, years_end - milliseconds(1));
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  append_padded<4>(out, static_cast<int>(date.year()));
  out += '-';
  append_padded<2>(out, static_cast<unsigned>(date.month()));
  out += '-';
  append_padded<2>(out, static_cast<unsigned>(date.day()));
  out += 'T';
  append_padded<2>(out, clock.hours().count());
  out += ':';
  append_padded<2>(out, clock.minutes().count());
  out += ':';
  append_padded<2>(out, clock.seconds().count());
  out += '.';
  append_padded<3>(out, std::chrono::duration_cast<std::chrono::milliseconds>(clock.subseconds()).count());
  out += 'Z';
}

}  // namespace switchyard::core
