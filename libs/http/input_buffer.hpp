// The bytes that a connection has received and not used yet, in one piece.
//
// Cost is linear in the bytes received, however few arrive at a time: they are moved only when as many have
// been consumed, or to double the room.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include <boost/asio/buffer.hpp>

namespace switchyard::http {

class InputBuffer {
 public:
  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  // What it takes from memory beyond what it keeps when nothing is in it.
  std::size_t extra_bytes() const { return capacity_ > capacity_min ? capacity_ : 0; }

  // Room for the next read, never empty. Views from before are no longer valid.
  boost::asio::mutable_buffer prepare() {
    if (empty()) begin_ = end_ = 0;
    if (capacity_ - end_ < room_min) make_room();
    return {bytes_.get() + end_, capacity_ - end_};
  }
  // So many bytes of that room have been filled.
  void commit(std::size_t size) { end_ += size; }
  // Drops so many from the front. Views of what follows stay valid.
  void consume(std::size_t size) { begin_ += size; }

  // Gives the memory back if nothing is in it and it is more than a usual request needs.
  void shrink() {
    if (empty() && capacity_ > capacity_min) *this = InputBuffer();
  }

 private:
  static constexpr std::size_t capacity_min = 4096;
  static constexpr std::size_t room_min = 512;

  void make_room() {
    const auto used = size();
    if (begin_ >= used && begin_ >= room_min) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, used);
    } else {
      const auto capacity = std::max(capacity_min, 2 * capacity_);
      auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
      if (used > 0) std::memcpy(bytes.get(), bytes_.get() + begin_, used);
      bytes_ = std::move(bytes);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace switchyard::http
