#include "store/store.hpp"

#include <deque>

#include "base/assert.hpp"

namespace switchyard::store {
namespace {

Error first_use_in_flight() {
  return {ErrorCode::idempotency_key_in_flight,
          "the first request with this idempotency key is not done yet"};
}

}  // namespace

Task<Result<void>> Users::require_user(Task<Result<bool>> change) {
  const auto is_changed = co_await std::move(change);
  if (!is_changed) co_return std::unexpected(is_changed.error());
  if (!*is_changed) co_return fail(ErrorCode::not_found, "there is no user of this name");
  co_return Result<void>();
}

Task<Result<Committed>> Store::commit(Change change) {
  payment::assert_invariants(change.state);
  SWITCHYARD_ASSERT(change.is_new || !change.key);
  return change.key ? write_with_key(std::move(change)) : write(std::move(change));
}

Task<Result<Committed>> Store::write_with_key(Change change) {
  const KeysInFlight::Hold hold(keys_in_flight_, change.state.transaction.merchant_id, *change.key);
  if (!hold) co_return std::unexpected(first_use_in_flight());
  co_return co_await write(std::move(change));
}

Task<Result<std::optional<Replayed>>> Store::find_reply(MerchantId merchant, IdempotencyKey key) {
  // Before the read: a use that ends in between is committed, and read.
  if (keys_in_flight_.holds(merchant, key)) co_return std::unexpected(first_use_in_flight());
  auto used = co_await read_reply(merchant, std::move(key));
  if (!used) co_return std::unexpected(std::move(used.error()));
  if (!*used) co_return std::nullopt;
  co_return std::move(**used);
}

Task<Result<Takens>> Store::take(Work work, Decide decide) {
  if (auto* due = std::get_if<DueWork>(&work)) return take_due(*due, std::move(decide));
  return take_with_keys(std::get<NamedWork>(std::move(work)), std::move(decide));
}

Task<Result<Takens>> Store::take_with_keys(NamedWork work, Decide decide) {
  Takens results(work.all.size(), Taken(first_use_in_flight()));
  std::deque<KeysInFlight::Hold> holds;
  NamedWork free;
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < work.all.size(); ++i) {
    auto& one = work.all[i];
    if (one.key && !holds.emplace_back(keys_in_flight_, one.merchant, *one.key)) continue;
    positions.push_back(i);
    free.all.push_back(std::move(one));
  }
  if (free.all.empty()) co_return results;
  auto taken = co_await take_named(std::move(free), std::move(decide));
  if (!taken) co_return taken;
  for (std::size_t i = 0; i < positions.size(); ++i) results[positions[i]] = std::move((*taken)[i]);
  co_return results;
}

}  // namespace switchyard::store
