// What the connections of a server, or of one client, may hold in memory together: half-sent requests, and
// replies that nobody takes. The little that a connection keeps while it idles is not counted, so that a
// usual request never needs any of it.
//
// Safe to use from any thread.
#pragma once

#include <atomic>
#include <cstddef>

namespace switchyard::http {

class BufferBudget {
 public:
  // What is taken of it is taken of the `whole`, too, which outlives it.
  explicit BufferBudget(std::size_t bytes_max, BufferBudget* whole = nullptr)
      : bytes_max_(bytes_max), whole_(whole) {}
  BufferBudget(const BufferBudget&) = delete;
  BufferBudget& operator=(const BufferBudget&) = delete;

  std::size_t bytes_in_use() const { return bytes_in_use_.load(std::memory_order_relaxed); }

  // One connection's part of it, given back with the share. The budget outlives its shares.
  class Share {
   public:
    explicit Share(BufferBudget& budget) : budget_(budget) {}
    ~Share() { resize(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Makes it so large; false, and as before, if there is not so much left. Smaller always succeeds.
    bool resize(std::size_t bytes) {
      if (bytes > bytes_ && !budget_.take(bytes - bytes_)) return false;
      if (bytes < bytes_) budget_.give_back(bytes_ - bytes);
      bytes_ = bytes;
      return true;
    }

   private:
    BufferBudget& budget_;
    std::size_t bytes_ = 0;
  };

 private:
  bool take(std::size_t bytes) {
    const bool fits = bytes_in_use_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max_;
    if (fits && (whole_ == nullptr || whole_->take(bytes))) return true;
    bytes_in_use_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  void give_back(std::size_t bytes) {
    bytes_in_use_.fetch_sub(bytes, std::memory_order_relaxed);
    if (whole_ != nullptr) whole_->give_back(bytes);
  }

  const std::size_t bytes_max_;
  BufferBudget* const whole_;
  std::atomic<std::size_t> bytes_in_use_{0};
};

}  // namespace switchyard::http
