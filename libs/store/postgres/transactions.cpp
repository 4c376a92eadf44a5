// What merchants and workers read.
#include <array>

#include "base/assert.hpp"
#include "store/postgres/run.hpp"
#include "store/postgres/writes.hpp"

namespace switchyard::store {
namespace {

const auto select_transaction = fmt::format(R"(
SELECT {}
FROM transactions
WHERE merchant_id = $1::bigint AND id = $2::uuid)",
                                            list_of(transactions_table, as_read));

// A transaction and its operations must be of one moment.
constexpr const char* begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

// A page is a scan of so many rows of one index at most ($3), from which is picked.
struct PageStatements {
  std::string page;
  // The last row that the scan can have seen, and the one behind it, if there are so many.
  std::string end;
};

PageStatements page_statements(std::string_view of_index) {
  return {fmt::format(R"(
SELECT {}
FROM (
  SELECT *
  FROM transactions
  WHERE merchant_id = $1::bigint AND id < $2::uuid AND {}
  ORDER BY id DESC
  LIMIT $3::bigint
) scanned
WHERE ($5::text = '' OR status = $5::text)
  AND ($6::text = '' OR currency = $6::text)
  AND ($7::timestamptz IS NULL OR created_at >= $7::timestamptz)
  AND ($8::timestamptz IS NULL OR created_at < $8::timestamptz)
ORDER BY id DESC
LIMIT $9::bigint)",
                      list_of(transactions_table, as_read), of_index),
          fmt::format(R"(
SELECT id::uuid
FROM transactions
WHERE merchant_id = $1::bigint AND id < $2::uuid AND {}
ORDER BY id DESC
OFFSET $3::bigint - 1
LIMIT 2)",
                      of_index)};
}

const auto page_of_all = page_statements("$4::text = ''");
const auto page_of_reference = page_statements("reference <> '' AND reference = $4::text");

Statements page_of(MerchantId merchant, const TransactionFilter& filter) {
  const auto& sql = filter.reference.empty() ? page_of_all : page_of_reference;
  const Uuid before = filter.before ? filter.before->value : last_id;
  const auto reference = postgres::storable_text(filter.reference);
  return {Statement(sql.page, merchant.value, before, rows_of_a_page_max, reference,
                    filter.status ? payment::to_string(*filter.status) : std::string_view(),
                    filter.currency ? filter.currency->code() : std::string_view(), filter.created_from,
                    filter.created_to, static_cast<std::int64_t>(filter.limit) + 1),
          Statement(sql.end, merchant.value, before, rows_of_a_page_max, reference)};
}

}  // namespace

Task<Result<Used>> PostgresStore::read_reply(MerchantId merchant, IdempotencyKey key) {
  PostgresColumns wanted(idempotency_keys_table.key());
  wanted.put(merchant.value, payment::to_string(key.kind), std::string_view(key.key));
  auto read = [key = std::move(key)](const Rows& rows) -> Result<Used> { return replay_of(rows[0], key); };
  return query_in_turn<Used>(merchants_, merchant.value, select_keys(wanted), std::move(read));
}

Task<Result<payment::State>> PostgresStore::find_transaction(MerchantId merchant, TransactionId id) {
  Statements statements{Statement(begin_reading), Statement(select_transaction, merchant.value, id.value),
                        select_operations(std::array{Place(merchant, id)}), Statement("COMMIT")};
  const auto read = [this, id](const RowSets& sets) {
    auto found = read_transactions(sets[1]);
    add_operations(found, std::span(sets).subspan(2, 1));
    return set_aside_.readable(id,
                               found.empty() ? std::nullopt : std::optional(std::move(found.front().state)));
  };
  return query_in_turn<payment::State>(merchants_, merchant.value, std::move(statements), read);
}

Task<Result<TransactionPage>> PostgresStore::list_transactions(MerchantId merchant,
                                                               TransactionFilter filter) {
  SWITCHYARD_ASSERT(filter.limit > 0);
  const auto read = [this, limit = filter.limit](const RowSets& sets) -> Result<TransactionPage> {
    TransactionPage page;
    auto found = read_transactions(sets[0]);
    const bool is_more = found.size() > limit;
    if (is_more) found.pop_back();
    for (auto& [place, state] : found) {
      if (state) {
        page.items.push_back(std::move(state->transaction));
      } else {
        set_aside_.note(place.second, state.error());
      }
    }
    if (is_more) {
      page.next = found.back().place.second;
    } else if (sets[1].size() == 2) {
      page.next = TransactionId{sets[1][0].uuid(0)};
    }
    return page;
  };
  return query_in_turn<TransactionPage>(merchants_, merchant.value, page_of(merchant, filter), read);
}

Task<Result<Owners>> PostgresStore::find_owners(std::vector<TransactionId> ids) {
  Column wanted(Type::uuid);
  for (const auto& id : ids) wanted.add(id.value);
  Statement select(R"(
SELECT merchant_id::bigint, id::uuid
FROM transactions
WHERE id = ANY($1::uuid[]))",
                   wanted);
  const auto read = each_row(
      [](const Row& row) { return std::pair(TransactionId{row.uuid(1)}, MerchantId{row.integer(0)}); });
  return query<Owners>(std::move(select), Effect::none, read);
}

Task<Result<std::optional<MerchantId>>> PostgresStore::next_merchant(MerchantId least) {
  // The whole key, so that it is read from its index.
  Statement select(R"(
SELECT merchant_id::bigint
FROM transactions
WHERE merchant_id >= $1::bigint
ORDER BY merchant_id, id
LIMIT 1)",
                   least.value);
  const auto read = first_row([](const Row& row) { return MerchantId{row.integer(0)}; });
  return query<std::optional<MerchantId>>(std::move(select), Effect::none, read);
}

}  // namespace switchyard::store
