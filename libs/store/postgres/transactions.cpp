// What merchants and workers read.
#include <array>

#include "base/assert.hpp"
#include "store/postgres/run.hpp"
#include "store/postgres/writes.hpp"

namespace switchyard::store {
namespace {

using Statements = std::vector<Statement>;

// Sorts after every id.
constexpr Uuid last_id{
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

const auto select_transaction = fmt::format(R"(
SELECT {}
FROM transactions
WHERE merchant_id = $1::bigint AND id = $2::uuid)",
                                            reads_of(transaction_columns));

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
                      reads_of(transaction_columns), of_index),
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

void bind_optional(Statement& statement, const std::optional<Timestamp>& time) {
  if (time) {
    statement.bind(*time);
  } else {
    statement.bind_null();
  }
}

Statements page_of(MerchantId merchant, const TransactionFilter& filter) {
  const auto& sql = filter.reference.empty() ? page_of_all : page_of_reference;
  const Uuid before = filter.before ? filter.before->value : last_id;
  const auto reference = postgres::storable_text(filter.reference);
  Statements statements;
  for (const auto* text : {&sql.page, &sql.end}) {
    statements.emplace_back(text->c_str())
        .bind(merchant.value)
        .bind(before)
        .bind(rows_of_a_page_max)
        .bind(reference);
  }
  auto& page = statements.front();
  page.bind(filter.status ? payment::to_string(*filter.status) : std::string_view());
  page.bind(filter.currency ? filter.currency->code() : std::string_view());
  bind_optional(page, filter.created_from);
  bind_optional(page, filter.created_to);
  page.bind(static_cast<std::int64_t>(filter.limit) + 1);
  return statements;
}

}  // namespace

Task<Result<std::optional<Replayed>>> PostgresStore::find_reply(MerchantId merchant, IdempotencyKey key) {
  // Before the read: a use that ends in between is committed, and read.
  if (keys_in_flight_.holds(merchant, key)) co_return std::unexpected(first_use_in_flight());
  KeyLookup lookup;
  lookup.add(merchant, key);
  Statements statements{lookup.statement()};
  auto read = [key = std::move(key)](const RowSets& sets) { return replay_of(sets.front(), 0, key); };
  co_return co_await query_in_turn<std::optional<Replayed>>(merchants_, merchant.value, std::move(statements),
                                                            std::move(read));
}

Task<Result<payment::State>> PostgresStore::find_transaction(MerchantId merchant, TransactionId id) {
  Statements statements{Statement(begin_reading), Statement(select_transaction.c_str()),
                        select_operations(std::array{Place(merchant, id)}), Statement("COMMIT")};
  statements[1].bind(merchant.value).bind(id.value);
  const auto read = [this, merchant, id](const RowSets& sets) -> Result<payment::State> {
    auto found = read_transactions(sets[1]);
    if (found.empty()) return std::unexpected(no_such_transaction());
    add_operations(found, std::span(sets).subspan(2, 1));
    auto& state = found.front().state;
    if (state) return std::move(*state);
    set_aside_.note(merchant, id, state.error());
    return std::unexpected(is_set_aside(state.error()));
  };
  return query_in_turn<payment::State>(merchants_, merchant.value, std::move(statements), read);
}

Task<Result<TransactionPage>> PostgresStore::list_transactions(MerchantId merchant,
                                                               TransactionFilter filter) {
  SWITCHYARD_ASSERT(filter.limit > 0);
  const auto read = [this, merchant, limit = filter.limit](const RowSets& sets) -> Result<TransactionPage> {
    TransactionPage page;
    auto found = read_transactions(sets[0]);
    const bool is_more = found.size() > limit;
    if (is_more) found.pop_back();
    for (auto& [place, state] : found) {
      if (state) {
        page.items.push_back(std::move(state->transaction));
      } else {
        set_aside_.note(merchant, place.second, state.error());
      }
    }
    if (is_more) {
      page.next = found.back().place.second;
    } else if (sets[1].size() == 2) {
      page.next = TransactionId{sets[1].uuid(0, 0)};
    }
    return page;
  };
  return query_in_turn<TransactionPage>(merchants_, merchant.value, page_of(merchant, filter), read);
}

Task<Result<std::vector<std::pair<TransactionId, MerchantId>>>> PostgresStore::find_owners(
    std::vector<TransactionId> ids) {
  using Owners = std::vector<std::pair<TransactionId, MerchantId>>;
  Column wanted(Type::uuid);
  for (const auto& id : ids) wanted.add(id.value);
  Statement select(R"(
SELECT merchant_id::bigint, id::uuid
FROM transactions
WHERE id = ANY($1::uuid[]))");
  const auto read = [](const RowSets& sets) -> Result<Owners> {
    Owners owners;
    for (int row = 0; row < sets.front().size(); ++row) {
      const auto [merchant, id] = place_of(sets.front(), row);
      owners.emplace_back(id, merchant);
    }
    return owners;
  };
  return query<Owners>({select.bind(wanted)}, Effect::none, read);
}

}  // namespace switchyard::store
