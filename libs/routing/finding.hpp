// What is wrong with a routing file, for whoever wrote it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::routing {

// Where something begins: both count from 1, columns in characters.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;

  friend auto operator<=>(const Position&, const Position&) = default;
};

struct Finding {
  Position at;
  std::string wrong;
  // What would be right, as the rest of a sentence: "write 'currency'".
  std::string right;
};

// "line 3, column 8: unknown member 'curency' of when; write 'currency'"
std::string to_string(const Finding& finding);

// More of them help nobody.
inline constexpr std::size_t findings_max = 100;

// Collects them while a file is read.
class Findings {
 public:
  void add(Position at, std::string wrong, std::string right);
  bool empty() const { return found_.empty(); }
  std::size_t count() const { return found_.size() + left_out_; }

  // In the order of the file, findings_max at most; a last one says how many more there are.
  std::vector<Finding> take();

 private:
  std::vector<Finding> found_;
  std::size_t left_out_ = 0;
};

// A text of the file in quotes, cut and printable; one that looks like a secret is not repeated.
std::string quoted(std::string_view text);

// Whether it holds a key of a PSP or of a webhook, by what those look like ("sk_live_...", "whsec_...", an
// API key or an HMAC key of Adyen). One that it does not know looks like any text.
bool looks_like_secret(std::string_view text);

}  // namespace switchyard::routing
