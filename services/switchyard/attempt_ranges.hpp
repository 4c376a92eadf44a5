// Shares out the payments of all merchants among threads, so that none is idle while another has a merchant
// who has most of them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.hpp"
#include "store/attempts.hpp"

namespace switchyard::cli {

// The least id that a transaction of this time, or of a later one, has. Ids are UUIDs of version 7.
TransactionId first_id_at(Timestamp time);
// When a transaction of this id was made, by the clock of who made it.
Timestamp time_of(TransactionId id);

// In two parts of the same time, about. Nothing: it is too short.
std::optional<std::pair<store::AttemptRange, store::AttemptRange>> split(const store::AttemptRange& range);

// Safe to use from several threads.
class AttemptRanges {
 public:
  // Of the merchants that have a transaction, the one with the lowest id that is not below this one.
  using NextMerchant = std::function<std::optional<MerchantId>(MerchantId least)>;

  // Of each merchant, what is not before `first`.
  explicit AttemptRanges(TransactionId first) : first_(first) {}

  // What to look at next, as soon as there is something; nothing: all is given out and done. Each one that
  // was given must be told to be done.
  std::optional<store::AttemptRange> take(const NextMerchant& next_merchant);
  // Of one that was given, what is left: the part of it that the caller goes on with. The rest is given to
  // who has nothing to do.
  store::AttemptRange share(const store::AttemptRange& left);
  void done();
  // Nobody is given anything any more.
  void stop();

 private:
  bool find_merchant(const NextMerchant& next_merchant);

  const TransactionId first_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<store::AttemptRange> ranges_;
  // Of those that no range was made for yet; nothing: there is none.
  std::optional<std::int64_t> least_ = std::numeric_limits<std::int64_t>::min();
  std::size_t under_way_ = 0;
  std::size_t idle_ = 0;
  bool is_stopped_ = false;
};

}  // namespace switchyard::cli
