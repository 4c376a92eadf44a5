// What is known of a transaction when an account is chosen for it. Nothing of it changes afterwards, but for
// which accounts are available, so that a stored transaction is explained as it was routed.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "money/money.hpp"
#include "payment/transaction.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

struct Asked {
  TransactionId id;
  MerchantId merchant;
  Money amount;
  Timestamp created_at;
  // Names and values, sorted, no name twice.
  std::vector<std::pair<std::string, std::string>> metadata{};
  // The adapters for which the merchant gave a payment_method.
  Adapters payment_methods{};
  // Those whose breakers let a payment through (breaker.hpp). Belongs to the Routes that are asked.
  AccountSet available = AccountSet().set();

  // Nothing: it has no such name.
  const std::string* find_metadata(std::string_view name) const;
};

// All accounts are available. What of metadata and payment_method cannot be read counts as not given.
Asked asked_of(const payment::Transaction& transaction);

}  // namespace switchyard::routing
