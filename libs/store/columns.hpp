// The tables and their columns, once: what they are called, of what type, and which member of the domain they
// hold. Both databases' statements and the copy between them are made from this.
//
// SQLite keeps a time as milliseconds since 1970, in a column whose name ends with _ms; a uuid as 16 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "store/psp_event_row.hpp"
#include "store/store.hpp"

namespace switchyard::store {

enum class ColumnType : std::uint8_t { bigint, boolean, uuid, text, bytea, timestamptz };

struct ColumnName {
  std::string_view name;
  ColumnType type;
  // Written once, with the row.
  bool is_fixed = false;
};

struct TableName {
  std::string_view name;
  std::span<const ColumnName> columns;
  // So many columns, the first ones, are the primary key.
  std::size_t key_size;

  constexpr TableName key() const { return {name, columns.first(key_size), key_size}; }
  // Whether an UPDATE needs it: to know the row, or because it may have changed.
  constexpr bool is_in_update(std::size_t column) const {
    return column < key_size || !columns[column].is_fixed;
  }
};

inline constexpr bool fixed = true;

// The second column of an amount. The first one is the Money itself.
struct CurrencyOf {
  const Money& amount;
};

// Each column in order, as visit(name, value) or visit(name, value, fixed).
template <class Transaction, class Visit>
constexpr void each_column(Transaction& transaction, Visit&& visit) {
  const CurrencyOf currency{transaction.amount};
  visit("merchant_id", transaction.merchant_id, fixed);
  visit("id", transaction.id, fixed);
  visit("amount_minor", transaction.amount, fixed);
  visit("currency", currency, fixed);
  visit("capture_method", transaction.capture_method, fixed);
  visit("status", transaction.status);
  visit("authorized_minor", transaction.authorized_minor);
  visit("captured_minor", transaction.captured_minor);
  visit("refunded_minor", transaction.refunded_minor);
  visit("held_minor", transaction.held_minor);
  visit("version", transaction.version);
  visit("operation_count", transaction.operation_count);
  visit("next_action_at", transaction.next_action_at);
  visit("reason", transaction.reason);
  visit("derived_reference", transaction.derived_reference, fixed);
  visit("reference", transaction.reference, fixed);
  visit("description", transaction.description, fixed);
  visit("metadata", transaction.metadata, fixed);
  visit("payment_method", transaction.payment_method, fixed);
  visit("return_url", transaction.return_url, fixed);
  visit("created_at", transaction.created_at, fixed);
  visit("updated_at", transaction.updated_at);
}

template <class Operation, class Visit>
constexpr void each_column(const payment::Transaction& transaction, Operation& operation, Visit&& visit) {
  visit("merchant_id", transaction.merchant_id, fixed);
  visit("transaction_id", transaction.id, fixed);
  visit("number", operation.number, fixed);
  visit("kind", operation.kind, fixed);
  visit("amount_minor", operation.amount, fixed);
  visit("is_final", operation.is_final, fixed);
  visit("phase", operation.phase);
  visit("psp", operation.psp);
  visit("idempotency_key", operation.idempotency_key, fixed);
  visit("request", operation.request);
  visit("claims", operation.claims);
  visit("sends", operation.sends);
  visit("look_ups", operation.look_ups);
  visit("psp_reference", operation.psp_reference);
  visit("action_url", operation.action_url);
  visit("brought_back", operation.brought_back);
  visit("reason_code", operation.reason.code);
  visit("reason", operation.reason.message);
  visit("reason_kind", operation.reason.kind);
  visit("taken_back", operation.taken_back);
  visit("reference", operation.reference, fixed);
  visit("note", operation.note, fixed);
  visit("resolution", operation.resolution);
  visit("due_at", operation.due_at);
  visit("requested_at", operation.requested_at, fixed);
  visit("sent_at", operation.sent_at);
  visit("ended_at", operation.ended_at);
}

template <class Row, class Visit>
  requires std::is_same_v<std::remove_const_t<Row>, PspEventRow>
constexpr void each_column(Row& row, Visit&& visit) {
  visit("account", row.account, fixed);
  visit("event", row.event, fixed);
  visit("type", row.type, fixed);
  visit("reference", row.reference, fixed);
  visit("idempotency_key", row.idempotency_key, fixed);
  visit("psp_reference", row.psp_reference, fixed);
  visit("payment", row.payment, fixed);
  visit("kind", row.kind, fixed);
  visit("what", row.what, fixed);
  visit("what_reference", row.what_reference, fixed);
  visit("amount_minor", row.amount_minor, fixed);
  visit("currency", row.currency, fixed);
  visit("reason_code", row.reason.code, fixed);
  visit("reason", row.reason.message, fixed);
  visit("reason_kind", row.reason.kind, fixed);
  visit("received_at", row.received_at, fixed);
  visit("due_at", row.due_at);
  visit("tries", row.tries);
  visit("result", row.result);
}

// A value as columns hold it: std::int64_t, bool, Uuid, std::string_view, Timestamp,
// std::optional<Timestamp>. Lives as long as `value`.
template <class Value>
decltype(auto) stored(const Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    return payment::to_string(value);
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return std::string_view(value);
  } else if constexpr (std::is_same_v<Value, std::int32_t>) {
    return std::int64_t{value};
  } else if constexpr (std::is_same_v<Value, MerchantId> || std::is_same_v<Value, TransactionId>) {
    return (value.value);
  } else if constexpr (std::is_same_v<Value, Money>) {
    return value.minor();
  } else if constexpr (std::is_same_v<Value, CurrencyOf>) {
    return value.amount.currency().code();
  } else {
    return (value);
  }
}

// Rows that nobody makes: what of them is asked for is what each_column() says of any.
extern const payment::Transaction any_transaction;
extern const payment::Operation any_operation;
extern const PspEventRow any_psp_event;

template <class Stored>
consteval ColumnType type_of() {
  return std::is_same_v<Stored, std::int64_t>       ? ColumnType::bigint
         : std::is_same_v<Stored, bool>             ? ColumnType::boolean
         : std::is_same_v<Stored, Uuid>             ? ColumnType::uuid
         : std::is_same_v<Stored, std::string_view> ? ColumnType::text
                                                    : ColumnType::timestamptz;
}

template <const auto&... any>
consteval auto columns_of() {
  constexpr std::size_t size = [] {
    std::size_t count = 0;
    each_column(any..., [&count](const auto&...) { ++count; });
    return count;
  }();
  std::array<ColumnName, size> columns;
  auto* column = columns.data();
  each_column(any..., [&column](std::string_view name, const auto& value, bool is_fixed = false) {
    *column++ = {name, type_of<std::remove_cvref_t<decltype(stored(value))>>(), is_fixed};
  });
  return columns;
}

inline constexpr auto transaction_columns = columns_of<any_transaction>();
inline constexpr auto operation_columns = columns_of<any_transaction, any_operation>();
inline constexpr auto psp_event_columns = columns_of<any_psp_event>();

inline constexpr std::array<ColumnName, 5> user_columns{{
    {"id", ColumnType::bigint},
    {"username", ColumnType::text},
    {"password_hash", ColumnType::text},
    {"enabled", ColumnType::boolean},
    {"created_at", ColumnType::timestamptz},
}};

inline constexpr std::array<ColumnName, 7> idempotency_key_columns{{
    {"merchant_id", ColumnType::bigint},
    {"kind", ColumnType::text},
    {"key", ColumnType::text},
    {"request_fingerprint", ColumnType::bytea},
    {"transaction_id", ColumnType::uuid},
    {"reply", ColumnType::text},
    {"created_at", ColumnType::timestamptz},
}};

inline constexpr TableName users_table{"users", user_columns, 1};
inline constexpr TableName transactions_table{"transactions", transaction_columns, 2};
inline constexpr TableName operations_table{"operations", operation_columns, 3};
inline constexpr TableName idempotency_keys_table{"idempotency_keys", idempotency_key_columns, 3};
inline constexpr TableName psp_events_table{"psp_events", psp_event_columns, 2};

// Which of the columns has this name, from 0. One that none has does not compile.
consteval int position_of(std::string_view name, std::span<const ColumnName> columns) {
  std::size_t position = 0;
  while (columns[position].name != name) ++position;
  return static_cast<int>(position);
}

// Of a table: those that may change; and with them those of the key, which is what an UPDATE needs.
enum class Which : std::uint8_t { all, changing, in_update };

// `each` of the columns, with commas between. In it {name} and {type} are PostgreSQL's, {sqlite_name} is
// SQLite's, {collation} is what PostgreSQL needs to order as SQLite does, {number} counts the table's columns
// from 1, {place} those that are listed.
inline std::string list_of(const TableName& table, fmt::string_view each, Which which = Which::all) {
  constexpr std::array types{"bigint", "boolean", "uuid", "text", "bytea", "timestamptz"};
  std::string list;
  for (std::size_t i = 0, place = 0; i < table.columns.size(); ++i) {
    const auto& [name, type, is_fixed] = table.columns[i];
    if (which == Which::changing ? is_fixed : which == Which::in_update && !table.is_in_update(i)) continue;
    if (!list.empty()) list += ", ";
    list += fmt::format(
        fmt::runtime(each), fmt::arg("name", name),
        fmt::arg("type", types.at(static_cast<std::size_t>(type))),
        fmt::arg("sqlite_name", fmt::format("{}{}", name, type == ColumnType::timestamptz ? "_ms" : "")),
        fmt::arg("collation", type == ColumnType::text ? R"( COLLATE "C")" : ""), fmt::arg("number", i + 1),
        fmt::arg("place", ++place));
  }
  return list;
}

// Sorts after every id.
inline constexpr Uuid last_id{
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// Gives each value to `put`, in the order of the columns, as stored() has it.
template <class Put>
void put_columns(const payment::Transaction& transaction, Put&& put) {
  each_column(transaction, [&](std::string_view, const auto& value, auto...) { put(stored(value)); });
}
template <class Put>
void put_columns(const payment::Transaction& transaction, const payment::Operation& operation, Put&& put) {
  each_column(transaction, operation,
              [&](std::string_view, const auto& value, auto...) { put(stored(value)); });
}
template <class Put>
void put_columns(const PspEventRow& row, Put&& put) {
  each_column(row, [&](std::string_view, const auto& value, auto...) { put(stored(value)); });
}

// Reads a row through each_column(), with what it may hold and this version not know. What is read counts if
// nothing was unknown. A Row has integer(i), boolean(i), uuid(i), text(i), time(i) and optional_time(i), from
// 0.
template <class Row>
struct ReadKnown {
  const Row& row;
  int column = 0;
  // Why the row cannot be read: the first word or number of them.
  std::string unknown{};

  // What is const is known already.
  template <class Value>
  void operator()(std::string_view, Value& value, auto...) {
    if constexpr (!std::is_const_v<Value>) read(value);
    ++column;
  }

  void read(std::int64_t& to) { to = row.integer(column); }
  void read(bool& to) { to = row.boolean(column); }
  void read(std::string& to) { to = std::string(row.text(column)); }
  void read(Timestamp& to) { to = row.time(column); }
  void read(std::optional<Timestamp>& to) { to = row.optional_time(column); }
  void read(MerchantId& to) { to.value = row.integer(column); }
  void read(TransactionId& to) { to.value = row.uuid(column); }
  void read(Money& to) { to = Money(row.integer(column), to.currency()); }
  void read(std::optional<Currency>& to) { word(to, "currency", Currency::parse_stored); }
  void read(payment::CaptureMethod& to) { word(to, "capture method", payment::parse_capture_method); }
  void read(payment::Status& to) { word(to, "status", payment::parse_status); }
  void read(payment::Kind& to) { word(to, "kind of operation", payment::parse_kind); }
  void read(payment::Phase& to) { word(to, "phase of an operation", payment::parse_phase); }
  void read(payment::ReasonKind& to) { word(to, "kind of reason", payment::parse_reason_kind); }
  // Of operations, claims, sends, tries.
  void read(std::int32_t& to) {
    const auto value = row.integer(column);
    const bool is_known = value >= 0 && std::in_range<std::int32_t>(value);
    if (!is_known && unknown.empty()) unknown = fmt::format("{} is no number of operations", value);
    to = static_cast<std::int32_t>(value);
  }
  template <class Word>
  void word(auto& to, std::string_view what, std::optional<Word> (*parse)(std::string_view)) {
    if (const auto known = parse(row.text(column))) {
      to = *known;
    } else if (unknown.empty()) {
      unknown = fmt::format("this version knows no {} \"{}\"", what, row.text(column).substr(0, 32));
    }
  }
};

// What a row of transaction_columns, or of operation_columns, holds.
template <class Row>
Readable<payment::Transaction> get_transaction(const Row& row) {
  ReadKnown<Row> known{row, position_of("currency", transaction_columns)};
  std::optional<Currency> currency;
  known.read(currency);
  if (!currency) return std::unexpected(std::move(known.unknown));
  payment::Transaction transaction{.id = {}, .merchant_id = {}, .amount = Money(0, *currency)};
  known.column = 0;
  each_column(transaction, known);
  if (!known.unknown.empty()) return std::unexpected(std::move(known.unknown));
  return sound(std::move(transaction));
}

template <class Row>
Readable<payment::Operation> get_operation(const Row& row, const payment::Transaction& transaction) {
  ReadKnown<Row> known{row};
  payment::Operation operation{.amount = transaction.amount};
  each_column(transaction, operation, known);
  if (!known.unknown.empty()) return std::unexpected(std::move(known.unknown));
  return operation;
}

// What a row of psp_event_columns holds.
template <class Row>
Readable<PspEvent> get_psp_event(const Row& row) {
  ReadKnown<Row> known{row};
  PspEventRow read;
  each_column(read, known);
  if (!known.unknown.empty()) return std::unexpected(std::move(known.unknown));
  return event_of(std::move(read));
}

// Its id, its name, its password's hash, whether it is enabled.
inline constexpr TableName read_users_table{"users", std::span(user_columns).first<4>(), 1};

template <class Row>
User get_user(const Row& row) {
  return {.id = {row.integer(0)},
          .username = std::string(row.text(1)),
          .password_hash = std::string(row.text(2)),
          .enabled = row.boolean(3)};
}

// Of a row with a key's fingerprint, transaction and reply: what the key was first used for.
template <class Row>
Result<Replayed> get_reply(const Row& row, const IdempotencyKey& key) {
  if (row.text(0) == key.request_fingerprint) return Replayed{{row.uuid(1)}, std::string(row.text(2))};
  return fail(ErrorCode::idempotency_key_reused_with_different_body,
              "the idempotency key was used for another request; take a new key for a new request");
}

}  // namespace switchyard::store
