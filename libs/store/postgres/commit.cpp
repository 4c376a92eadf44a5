// Commits of what was decided without a lock: new transactions, and answers.
#include <algorithm>
#include <set>

#include "store/postgres/run.hpp"
#include "store/postgres/writes.hpp"

namespace switchyard::store {
namespace {

using Places = std::set<Place>;

Places read_places(const Rows& rows) {
  Places places;
  for (const auto row : rows.all()) places.insert(place_of(row));
  return places;
}

// `stored`: by this commit, each by the first of those that have it. `keys`: as they are now, where the
// changes have keys.
std::vector<Result<Committed>> results_of(const std::vector<Change>& changes, Places stored,
                                          const Rows* keys) {
  std::vector<Result<Committed>> results;
  results.reserve(changes.size());
  for (const auto& change : changes) {
    const bool is_stored = stored.erase(place_of(change.state.transaction)) == 1;
    const int row = static_cast<int>(results.size());
    if (is_stored) {
      results.emplace_back(Done{});
    } else if (auto used = keys != nullptr ? replay_of((*keys)[row], *change.key) : std::nullopt) {
      results.emplace_back(std::move(*used));
    } else {
      results.emplace_back(Stale{});
    }
  }
  return results;
}

}  // namespace

Task<Result<Committed>> PostgresStore::write(Change change) {
  auto& batcher = !change.is_new ? answers_ : change.key ? creations_with_keys_ : creations_;
  return batcher.run(std::move(change));
}

Task<postgres::Outcome<std::vector<Result<Committed>>>> PostgresStore::create(
    const std::vector<Change>& changes) {
  Writes writes;
  for (const auto& [state, is_new, key, reply] : changes) {
    writes.add(state, changed_operations({}, state));
    if (key) writes.add_key(state.transaction, *key, reply);
  }
  bool is_repeated = false;
  auto done = co_await execute(writes.of_new(), Effect::repeatable, &is_repeated);
  if (!done) co_return std::unexpected(std::move(done.error()));
  const bool with_keys = writes.has_keys();
  auto stored = read_places(done->at(with_keys ? 1 : 0));
  if (is_repeated && stored.size() < changes.size()) {
    Statements look(1, writes.look_for_own());
    const auto own = co_await execute(std::move(look), Effect::none);
    if (!own) {
      // What is open is whether the earlier try stored them.
      co_return std::unexpected(
          postgres::Failure{postgres::Failure::Kind::unknown, own.error().sqlstate, own.error().message});
    }
    stored.merge(read_places(own->front()));
  }
  co_return results_of(changes, std::move(stored), with_keys ? &done->back() : nullptr);
}

Task<postgres::Outcome<std::vector<Result<Committed>>>> PostgresStore::save(
    const std::vector<Change>& changes) {
  std::vector<const payment::State*> in_order;
  in_order.reserve(changes.size());
  for (const auto& change : changes) in_order.push_back(&change.state);
  // So that two batches, or a batch and a take, wait for each other and not in a circle.
  std::ranges::sort(in_order, {}, [](const auto* state) { return place_of(state->transaction); });
  Writes writes;
  for (const auto* state : in_order) writes.add(*state, operations_of_answer(*state));
  auto done = co_await execute(writes.of_same_version(), Effect::repeatable);
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return results_of(changes, read_places(done->front()), nullptr);
}

}  // namespace switchyard::store
