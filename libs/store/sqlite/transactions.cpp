// What needs no decision: commits, and what merchants look at.
#include "base/assert.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

Result<Committed> write_change(sqlite::Database& database, const Change& change) {
  const auto& transaction = change.state.transaction;
  if (auto used = read_reply(database, transaction.merchant_id, change.key)) return std::move(*used);
  const bool written = change.is_new ? insert_transaction(database, transaction)
                                     : update_transaction(database, transaction, transaction.version);
  if (!written) return Stale{};
  write_operations(database, transaction,
                   change.is_new ? changed_operations({}, change.state) : operations_of_answer(change.state),
                   change.is_new ? 0 : change.state.operations.size());
  if (change.key) insert_key(database, transaction, *change.key, change.reply);
  return Done{};
}

// Before the row is read as a whole, which costs more than to pass over it.
bool matches(const sqlite::Query& row, const TransactionFilter& filter) {
  constexpr int status = position_of("status", transaction_columns);
  constexpr int currency = position_of("currency", transaction_columns);
  constexpr int created_at = position_of("created_at", transaction_columns);
  return (!filter.status || row.text(status) == payment::to_string(*filter.status)) &&
         (!filter.currency || row.text(currency) == filter.currency->code()) &&
         (!filter.created_from || row.time(created_at) >= *filter.created_from) &&
         (!filter.created_to || row.time(created_at) < *filter.created_to);
}

TransactionPage read_page(sqlite::Database& database, SetAside& set_aside, MerchantId merchant,
                          const TransactionFilter& filter) {
  SWITCHYARD_ASSERT(filter.limit > 0);
  const Uuid before = filter.before ? filter.before->value : last_id;
  auto row = database.query(select_newest_first(!filter.reference.empty()));
  row.bind(merchant.value, before);
  if (!filter.reference.empty()) row.bind(filter.reference);

  TransactionPage page;
  std::optional<TransactionId> last_seen;
  for (std::int64_t looked_at = 0; row.step(); ++looked_at) {
    // There is one more row: the page ends with a cursor to it.
    if (page.items.size() == filter.limit || looked_at == rows_of_a_page_max) {
      page.next = last_seen;
      break;
    }
    last_seen = {row.uuid(1)};
    if (!matches(row, filter)) continue;
    auto transaction = get_transaction(row);
    if (transaction) {
      page.items.push_back(std::move(*transaction));
    } else {
      set_aside.note(*last_seen, transaction.error());
    }
  }
  return page;
}

}  // namespace

Task<Result<Committed>> SqliteStore::write(Change change) {
  return writer_.run<Committed>(
      [change = std::move(change)](sqlite::Database& database) { return write_change(database, change); });
}

Task<Result<Used>> SqliteStore::read_reply(MerchantId merchant, IdempotencyKey key) {
  return merchants_.run<Used>(merchant.value,
                              [merchant, key = std::optional(std::move(key))](sqlite::Database& database) {
                                return store::read_reply(database, merchant, key);
                              });
}

Task<Result<payment::State>> SqliteStore::find_transaction(MerchantId merchant, TransactionId id) {
  return merchants_.run<payment::State>(merchant.value, [this, merchant, id](sqlite::Database& database) {
    return set_aside_.readable(id, read_state(database, merchant, id));
  });
}

Task<Result<TransactionPage>> SqliteStore::list_transactions(MerchantId merchant, TransactionFilter filter) {
  return merchants_.run<TransactionPage>(
      merchant.value, [this, merchant, filter = std::move(filter)](sqlite::Database& database) {
        return read_page(database, set_aside_, merchant, filter);
      });
}

Task<Result<Owners>> SqliteStore::find_owners(std::vector<TransactionId> ids) {
  return merchants_.run<Owners>(ourselves, [ids = std::move(ids)](sqlite::Database& database) {
    Owners owners;
    for (const auto id : ids) {
      auto row = database.query("SELECT merchant_id FROM transactions WHERE id = ?");
      row.bind(id.value);
      while (row.step()) owners.emplace_back(id, MerchantId{row.integer(0)});
    }
    return owners;
  });
}

Task<Result<std::optional<MerchantId>>> SqliteStore::next_merchant(MerchantId least) {
  using Next = std::optional<MerchantId>;
  return merchants_.run<Next>(ourselves, [least](sqlite::Database& database) -> Next {
    auto row = database.query(
        "SELECT merchant_id FROM transactions WHERE merchant_id >= ? ORDER BY merchant_id LIMIT 1");
    row.bind(least.value);
    if (!row.step()) return std::nullopt;
    return MerchantId{row.integer(0)};
  });
}

}  // namespace switchyard::store
