#include "routing/plain_text.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/utf8.hpp"

namespace switchyard::routing {
namespace {

struct Complaint {
  std::string wrong;
  std::string right;
};

// Reads one line, which ends whatever is open: no text goes over several lines.
class LineScanner {
 public:
  explicit LineScanner(std::string_view line) : rest_(line) {}

  std::optional<Complaint> scan() {
    while (!rest_.empty()) {
      const auto size = utf8_size_of_first(rest_);
      if (auto complaint = size == 0 ? not_utf8() : size == 1 ? ascii(rest_.front()) : std::nullopt) {
        return complaint;
      }
      if (size > 1) is_escaped_ = false;
      rest_.remove_prefix(size);
      ++column_;
    }
    return std::nullopt;
  }

  std::uint32_t column() const { return column_; }

 private:
  static std::optional<Complaint> not_utf8() {
    return Complaint{"a byte that belongs to no character", "save the file as UTF-8"};
  }

  std::optional<Complaint> ascii(char c) {
    // The carriage return of the line's end has been taken off.
    if ((c >= 0 && c < ' ' && c != '\t') || c == 0x7f) {
      return Complaint{"a control character", "leave it out, or write it as \\u and four digits in quotes"};
    }
    if (is_comment_) return std::nullopt;
    if (quote_ != 0) {
      quoted(c);
      return std::nullopt;
    }
    return bare(c);
  }

  void quoted(char c) {
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (c == quote_) {
      quote_ = 0;
    } else {
      is_escaped_ = c == '\\' && quote_ == '"';
    }
  }

  std::optional<Complaint> bare(char c) {
    is_comment_ = c == '#';
    if (c == '"' || c == '\'') {
      quote_ = c;
      if (rest_.starts_with("\"\"\"") || rest_.starts_with("'''")) {
        return Complaint{"a text over several lines", "write it in one pair of quotes; none here is long"};
      }
    }
    if (c != '.' || ++dots_ <= dots_per_line_max) return std::nullopt;
    return Complaint{fmt::format("more than {} dots in one line", dots_per_line_max),
                     "write shorter lines; no name here has more than a few parts"};
  }

  std::string_view rest_;
  std::uint32_t column_ = 1;
  int dots_ = 0;
  // The one that is open, or 0.
  char quote_ = 0;
  bool is_escaped_ = false;
  bool is_comment_ = false;
};

}  // namespace

std::optional<Finding> why_not_plain(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    LineScanner scanner(line);
    if (auto complaint = scanner.scan()) {
      return Finding{{number, scanner.column()}, std::move(complaint->wrong), std::move(complaint->right)};
    }
  }
  return std::nullopt;
}

}  // namespace switchyard::routing
