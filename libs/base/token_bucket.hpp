// So many at once, and so many a second after that.
#pragma once

#include <algorithm>
#include <chrono>

namespace switchyard {

// Full at first. Not safe to use from several threads at once.
class TokenBucket {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  TokenBucket(double capacity, double per_second, Instant now)
      : capacity_(capacity), per_second_(per_second), tokens_(capacity), filled_at_(now) {}

  // False, and nothing is taken, if there is less than one. Threads read the clock before they have the lock
  // that guards it, so time may seem to go back: then none passed.
  bool take(Instant now) {
    const std::chrono::duration<double> passed =
        std::max(now - filled_at_, std::chrono::steady_clock::duration::zero());
    tokens_ = std::min(capacity_, tokens_ + passed.count() * per_second_);
    filled_at_ = std::max(filled_at_, now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double capacity_;
  double per_second_;
  double tokens_;
  Instant filled_at_;
};

}  // namespace switchyard
