#include "service/line_budget.hpp"

#include <utility>

#include <fmt/format.h>

namespace switchyard::service {

LineBudget::LineBudget(Log& log, std::string what)
    : log_(log),
      what_(std::move(what)),
      lines_(lines_at_once_max, lines_per_second_max, std::chrono::steady_clock::now()) {}

LineBudget::~LineBudget() {
  say_left_out(left_out_);
}

bool LineBudget::take(Instant now) {
  std::uint64_t left_out = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!lines_.take(now)) {
      ++left_out_;
      return false;
    }
    left_out = std::exchange(left_out_, 0);
  }
  say_left_out(left_out);
  return true;
}

void LineBudget::say_left_out(std::uint64_t count) {
  if (count == 0) return;
  log_.warning(fmt::format("{} {} are not in the log: there were too many", count, what_),
               {{"left_out", static_cast<std::int64_t>(count)}});
}

}  // namespace switchyard::service
