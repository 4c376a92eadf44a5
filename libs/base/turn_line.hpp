// What waits for askers (merchants, say), who take turns: whoever asks much waits for themselves.
//
// Not safe for threads: whoever has one brings the lock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "base/assert.hpp"

namespace switchyard {

// How many may wait.
struct TurnLimits {
  std::size_t of_one_asker;
  std::size_t in_all;
};

template <class Item, class Asker = std::int64_t>
class TurnLine {
 public:
  explicit TurnLine(TurnLimits limits) : limits_(limits) {}

  bool empty() const { return line_.empty(); }

  // Why one more of this asker's finds no room, for whoever is refused; null if there is room.
  const char* why_no_room(const Asker& asker) const {
    if (waiting_ >= limits_.in_all) return "too many operations are waiting for the store";
    const auto queue = queues_.find(asker);
    const auto of_this_one = queue == queues_.end() ? 0 : queue->second.size();
    if (of_this_one >= limits_.of_one_asker) return "too many of your requests are waiting for the store";
    return nullptr;
  }

  // There is room.
  void push(const Asker& asker, Item item) {
    SWITCHYARD_ASSERT(why_no_room(asker) == nullptr);
    auto& queue = queues_[asker];
    if (queue.empty()) line_.push_back(asker);
    queue.push_back(std::move(item));
    ++waiting_;
  }

  // Of whoever's turn it is, the oldest. The line is not empty.
  Item pop() {
    SWITCHYARD_ASSERT(!empty());
    const auto asker = line_.front();
    line_.pop_front();
    const auto queue = queues_.find(asker);
    auto item = std::move(queue->second.front());
    queue->second.pop_front();
    --waiting_;
    if (queue->second.empty()) {
      queues_.erase(queue);
    } else {
      line_.push_back(asker);
    }
    return item;
  }

  // Makes room for one more of this asker's: the newest of whoever has most waiting, who loses it. Nothing if
  // that is the asker, or would be.
  std::optional<Item> take_newest_of_longest(const Asker& asker) {
    const auto longest =
        std::ranges::max_element(queues_, {}, [](const auto& of_asker) { return of_asker.second.size(); });
    if (longest == queues_.end()) return std::nullopt;
    const auto own = queues_.find(asker);
    const auto own_size = own == queues_.end() ? 0 : own->second.size();
    if (longest->second.size() <= own_size + 1) return std::nullopt;
    auto newest = std::move(longest->second.back());
    // Never its last: it has more than one.
    longest->second.pop_back();
    --waiting_;
    return newest;
  }

 private:
  const TurnLimits limits_;
  // Only askers with something waiting have a queue, and each stands once in the line.
  std::map<Asker, std::deque<Item>> queues_;
  std::deque<Asker> line_;
  std::size_t waiting_ = 0;
};

}  // namespace switchyard
