// Idempotency keys whose first use is on its way to the disk.
//
// Within one process this tells a twin that it is one (409) instead of letting it wait for the other's
// commit. Between processes the database's own lock does. Safe to use from any thread.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <tuple>

#include "base/id.hpp"
#include "payment/operation.hpp"

namespace switchyard::store {

// A merchant's key for one kind of operation (a new transaction is its authorization), remembered for ever
// with what it was first used for.
struct IdempotencyKey {
  payment::Kind kind = payment::Kind::authorize;
  std::string key;
  // SHA-256 of the request.
  std::string request_fingerprint;
};

class KeysInFlight {
  using Keys = std::set<std::tuple<MerchantId, payment::Kind, std::string>>;

 public:
  bool holds(MerchantId merchant, const IdempotencyKey& key) {
    const std::lock_guard lock(mutex_);
    return held_.contains({merchant, key.kind, key.key});
  }

  // Holds the key until it goes; converts to false if somebody else holds it.
  class Hold {
   public:
    Hold(KeysInFlight& keys, MerchantId merchant, const IdempotencyKey& key) : keys_(keys) {
      const std::lock_guard lock(keys_.mutex_);
      std::tie(position_, held_) = keys_.held_.emplace(merchant, key.kind, key.key);
    }
    ~Hold() {
      if (!held_) return;
      const std::lock_guard lock(keys_.mutex_);
      keys_.held_.erase(position_);
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    explicit operator bool() const { return held_; }

   private:
    KeysInFlight& keys_;
    Keys::iterator position_;
    bool held_ = false;
  };

 private:
  std::mutex mutex_;
  Keys held_;
};

}  // namespace switchyard::store
