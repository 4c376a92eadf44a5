// What one check of `switchyard doctor` found.
#pragma once

#include <string>
#include <utility>

namespace switchyard::cli {

struct Finding {
  std::string subject;
  bool good = false;
  std::string text;
  // What to do; empty if all is well. With what is good: it works, and is hardly meant so.
  std::string remedy;
};

inline Finding good(std::string subject, std::string text) {
  return {std::move(subject), true, std::move(text), {}};
}

inline Finding warned(std::string subject, std::string text, std::string remedy) {
  return {std::move(subject), true, std::move(text), std::move(remedy)};
}

inline Finding bad(std::string subject, std::string text, std::string remedy) {
  return {std::move(subject), false, std::move(text), std::move(remedy)};
}

}  // namespace switchyard::cli
