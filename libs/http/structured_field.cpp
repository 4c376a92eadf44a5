#include "http/structured_field.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace switchyard::http {
namespace {

using Problem = std::unexpected<std::string>;

// Reads from the front of a field. What reads something returns what was wrong with it, empty if nothing was.
class Parser {
 public:
  explicit Parser(std::string_view rest) : rest_(rest) {}

  bool at_end() const { return rest_.empty(); }
  bool next_is(char c) const { return rest_.starts_with(c); }
  bool skip(char c) {
    const bool there = next_is(c);
    if (there) rest_.remove_prefix(1);
    return there;
  }
  void skip_blanks() {
    while (skip(' ')) {
    }
  }

  // RFC 9651, 4.2.5.
  std::expected<std::string, std::string> read_string() {
    std::string text;
    if (!skip('"')) return Problem("it does not begin with a quote");
    while (!at_end()) {
      const char c = take();
      if (c == '"') return text;
      if (c == '\\' && !next_is('"') && !next_is('\\'))
        return Problem(R"(a backslash stands before something else than a quote or a backslash)");
      if (!is_printable_ascii(c)) return Problem("a character is not printable ASCII");
      text += c == '\\' ? take() : c;
    }
    return Problem("the closing quote is missing");
  }

  // RFC 9651, 4.2.3.2.
  std::string read_parameters() {
    while (skip(';')) {
      skip_blanks();
      if (at_end() || !(is_lower(rest_.front()) || next_is('*')))
        return "the name of a parameter must begin with a small letter";
      skip_while([](char c) { return is_lower(c) || is_digit(c) || std::string_view("_-.*").contains(c); });
      if (!skip('=')) continue;
      if (auto wrong = read_bare_item(); !wrong.empty()) return wrong;
    }
    return {};
  }

 private:
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  template <class Predicate>
  std::string_view skip_while(Predicate fits) {
    const auto end = std::ranges::find_if_not(rest_, fits);
    const auto taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  // RFC 9651, 4.2.3.1.
  std::string read_bare_item() {
    if (next_is('"')) {
      const auto text = read_string();
      return text ? std::string() : text.error();
    }
    if (at_end()) return "a parameter has no value behind its \"=\"";
    if (next_is('-') || is_digit(rest_.front())) return read_number(true);
    if (is_letter(rest_.front()) || next_is('*')) return read_token();
    if (skip(':')) return read_bytes();
    if (skip('?')) return skip('0') || skip('1') ? "" : "a boolean is not ?0 or ?1";
    if (skip('@')) return read_number(false);
    if (skip('%')) return read_display_string();
    return "the value of a parameter is of no known kind";
  }

  // An integer of up to 15 digits, or 12 digits, a point and up to three (4.2.4).
  std::string read_number(bool may_have_point) {
    constexpr std::size_t digits_max = 15;
    constexpr std::size_t digits_before_point_max = 12;
    constexpr std::size_t digits_behind_point_max = 3;
    constexpr auto wrong = "a number is not one of RFC 9651";
    skip('-');
    const auto whole = skip_while(is_digit);
    if (whole.empty() || whole.size() > digits_max) return wrong;
    if (!may_have_point || !skip('.')) return {};
    const auto fraction = skip_while(is_digit);
    const bool fits = whole.size() <= digits_before_point_max && !fraction.empty() &&
                      fraction.size() <= digits_behind_point_max;
    return fits ? "" : wrong;
  }

  std::string read_token() {
    skip_while([](char c) {
      return is_letter(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~:/").contains(c);
    });
    return {};
  }

  std::string read_bytes() {
    auto base64 =
        skip_while([](char c) { return is_letter(c) || is_digit(c) || std::string_view("+/=").contains(c); });
    if (!skip(':')) return "bytes are not base64 between two colons";
    for (int padding = 0; padding < 2 && base64.ends_with('='); ++padding) base64.remove_suffix(1);
    // A parser should not refuse missing padding (4.2.7); one character alone holds no byte.
    const bool decodes = !base64.contains('=') && base64.size() % 4 != 1;
    return decodes ? "" : "bytes are not base64 between two colons";
  }

  // RFC 9651, 4.2.10. What it spells is not looked at: it is left out.
  std::string read_display_string() {
    constexpr auto wrong = "a display string is not one of RFC 9651";
    if (!skip('"')) return wrong;
    while (!at_end()) {
      const char c = take();
      if (c == '"') return {};
      if (!is_printable_ascii(c)) return wrong;
      if (c != '%') continue;
      for (int digit = 0; digit < 2; ++digit) {
        if (at_end() || !(is_digit(rest_.front()) || (rest_.front() >= 'a' && rest_.front() <= 'f')))
          return wrong;
        rest_.remove_prefix(1);
      }
    }
    return wrong;
  }

  std::string_view rest_;
};

}  // namespace

std::expected<std::string, std::string> parse_string_item(std::string_view field) {
  Parser parser(field);
  parser.skip_blanks();
  auto text = parser.read_string();
  if (!text) return text;
  if (auto wrong = parser.read_parameters(); !wrong.empty()) return std::unexpected(std::move(wrong));
  parser.skip_blanks();
  if (parser.next_is(',')) return std::unexpected("it holds more than one value");
  if (!parser.at_end()) return std::unexpected("something stands behind the closing quote");
  return text;
}

}  // namespace switchyard::http
