#include "base/spelling.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace switchyard {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// How many characters must be added, taken away or changed to make one of the other (Levenshtein).
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t changed = diagonal + (lower(from[i]) == lower(to[j]) ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({changed, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> known) {
  std::string_view found;
  std::size_t found_distance = 0;
  for (const auto one : known) {
    const auto most = std::clamp<std::size_t>(one.size() / 3, 1, 3);
    // Names come from outside: a long one is no misspelling, and costs nothing.
    if (name.size() > one.size() + most) continue;
    const auto changes = distance(name, one);
    if (changes > most || (!found.empty() && changes >= found_distance)) continue;
    found = one;
    found_distance = changes;
  }
  return found;
}

}  // namespace switchyard
