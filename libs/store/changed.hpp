// Which operations a write concerns: a transaction may have a thousand, and most of them are over.
#pragma once

#include <vector>

#include "payment/operation.hpp"

namespace switchyard::store {

using Operations = std::vector<const payment::Operation*>;

// Of what was decided under lock: those that are not what they were.
inline Operations changed_operations(const std::vector<payment::Operation>& before,
                                     const payment::State& after) {
  Operations changed;
  for (std::size_t i = 0; i < after.operations.size(); ++i) {
    const auto& operation = after.operations[i];
    if (i >= before.size() || operation != before[i]) changed.push_back(&operation);
  }
  return changed;
}

// Of the answer to a claim, where what was there before is not at hand. The answered one ended with it or is
// still open, and it was claimed; the one that had to wait for it may have become due. One that ended before,
// or was never claimed and still waits, is as it was.
inline Operations operations_of_answer(const payment::State& state) {
  Operations changed;
  for (const auto& operation : state.operations) {
    const bool ended_now = operation.ended_at == state.transaction.updated_at;
    const bool waits = operation.claims == 0 && !operation.due_at;
    if (ended_now || (is_open(operation.phase) && !waits)) changed.push_back(&operation);
  }
  return changed;
}

}  // namespace switchyard::store
