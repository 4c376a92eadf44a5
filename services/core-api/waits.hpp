// How many requests wait for a result (Prefer: wait), of one merchant and in all: who waits asks the store
// again and again.
//
// A merchant may have as many as there are places left, so one alone has half of them, and there is always
// one for who has none (compare Backlog). Per process. Safe to use from any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/id.hpp"

namespace switchyard::core {

class Waits {
 public:
  // Is taken until it goes. The waits outlive it.
  class Place {
   public:
    Place(Waits& waits, MerchantId merchant) : waits_(&waits), merchant_(merchant) {}
    Place(Place&& other) noexcept
        : waits_(std::exchange(other.waits_, nullptr)), merchant_(other.merchant_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (waits_ != nullptr) waits_->leave(merchant_);
    }

   private:
    Waits* waits_;
    MerchantId merchant_;
  };

  explicit Waits(std::size_t most) : most_(most) {}

  // Nothing if there are too many, or the program stops.
  std::optional<Place> enter(MerchantId merchant);

  // Nobody waits from here on; who does already looks every time that it has asked the store.
  void stop() { stopping_ = true; }
  bool stopping() const { return stopping_; }

 private:
  void leave(MerchantId merchant);

  const std::size_t most_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::size_t taken_ = 0;
  // Only those who wait.
  std::unordered_map<std::int64_t, std::size_t> by_merchant_;
};

}  // namespace switchyard::core
