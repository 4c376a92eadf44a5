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
#include <utility>

#include <fmt/format.h>

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

inline constexpr std::array<ColumnName, 5> user_columns{{
    {"id", ColumnType::bigint},
    {"username", ColumnType::text},
    {"password_hash", ColumnType::text},
    {"enabled", ColumnType::boolean},
    {"created_at", ColumnType::timestamptz},
}};

inline constexpr std::array<ColumnName, 20> transaction_columns{{
    {"merchant_id", ColumnType::bigint, true},
    {"id", ColumnType::uuid, true},
    {"amount_minor", ColumnType::bigint, true},
    {"currency", ColumnType::text, true},
    {"capture_method", ColumnType::text, true},
    {"status", ColumnType::text},
    {"authorized_minor", ColumnType::bigint},
    {"captured_minor", ColumnType::bigint},
    {"refunded_minor", ColumnType::bigint},
    {"held_minor", ColumnType::bigint},
    {"version", ColumnType::bigint},
    {"operation_count", ColumnType::bigint},
    {"next_action_at", ColumnType::timestamptz},
    {"reason", ColumnType::text},
    {"derived_reference", ColumnType::text, true},
    {"reference", ColumnType::text, true},
    {"description", ColumnType::text, true},
    {"metadata", ColumnType::text, true},
    {"created_at", ColumnType::timestamptz, true},
    {"updated_at", ColumnType::timestamptz},
}};

inline constexpr std::array<ColumnName, 25> operation_columns{{
    {"merchant_id", ColumnType::bigint, true},
    {"transaction_id", ColumnType::uuid, true},
    {"number", ColumnType::bigint, true},
    {"kind", ColumnType::text, true},
    {"amount_minor", ColumnType::bigint, true},
    {"is_final", ColumnType::boolean, true},
    {"phase", ColumnType::text},
    {"psp", ColumnType::text},
    {"idempotency_key", ColumnType::text, true},
    {"request", ColumnType::text},
    {"claims", ColumnType::bigint},
    {"sends", ColumnType::bigint},
    {"look_ups", ColumnType::bigint},
    {"psp_reference", ColumnType::text},
    {"reason_code", ColumnType::text},
    {"reason", ColumnType::text},
    {"reason_kind", ColumnType::text},
    {"taken_back", ColumnType::boolean},
    {"reference", ColumnType::text, true},
    {"note", ColumnType::text, true},
    {"resolution", ColumnType::text},
    {"due_at", ColumnType::timestamptz},
    {"requested_at", ColumnType::timestamptz, true},
    {"sent_at", ColumnType::timestamptz},
    {"ended_at", ColumnType::timestamptz},
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

// `text(column, number)` of each column, its number from 1, with commas between; empty ones are left out.
template <class Text>
std::string list_of(std::span<const ColumnName> columns, Text text) {
  std::string list;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto one = text(columns[i], i + 1);
    if (!list.empty() && !one.empty()) list += ", ";
    list += one;
  }
  return list;
}

// Sorts after every id.
inline constexpr Uuid last_id{
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// Gives each value to `put`, in the order of the columns: std::int64_t, bool, Uuid, std::string_view,
// Timestamp, std::optional<Timestamp>.
template <class Put>
void put_columns(const payment::Transaction& transaction, Put&& put) {
  put(transaction.merchant_id.value);
  put(transaction.id.value);
  put(transaction.amount.minor());
  put(std::string_view(transaction.amount.currency().code()));
  put(payment::to_string(transaction.capture_method));
  put(payment::to_string(transaction.status));
  put(transaction.authorized_minor);
  put(transaction.captured_minor);
  put(transaction.refunded_minor);
  put(transaction.held_minor);
  put(transaction.version);
  put(std::int64_t{transaction.operation_count});
  put(transaction.next_action_at);
  put(std::string_view(transaction.reason));
  put(std::string_view(transaction.derived_reference));
  put(std::string_view(transaction.reference));
  put(std::string_view(transaction.description));
  put(std::string_view(transaction.metadata));
  put(transaction.created_at);
  put(transaction.updated_at);
}

template <class Put>
void put_columns(const payment::Transaction& transaction, const payment::Operation& operation, Put&& put) {
  put(transaction.merchant_id.value);
  put(transaction.id.value);
  put(std::int64_t{operation.number});
  put(payment::to_string(operation.kind));
  put(operation.amount.minor());
  put(operation.is_final);
  put(payment::to_string(operation.phase));
  put(std::string_view(operation.psp));
  put(std::string_view(operation.idempotency_key));
  put(std::string_view(operation.request));
  put(std::int64_t{operation.claims});
  put(std::int64_t{operation.sends});
  put(std::int64_t{operation.look_ups});
  put(std::string_view(operation.psp_reference));
  put(std::string_view(operation.reason.code));
  put(std::string_view(operation.reason.message));
  put(payment::to_string(operation.reason.kind));
  put(operation.taken_back);
  put(std::string_view(operation.reference));
  put(std::string_view(operation.note));
  put(std::string_view(operation.resolution));
  put(operation.due_at);
  put(operation.requested_at);
  put(operation.sent_at);
  put(operation.ended_at);
}

// Reads what a row may hold and this version not know. What is read counts if nothing was unknown.
template <class Row>
struct ReadKnown {
  const Row& row;
  // Why the row cannot be read: the first word or number of them.
  std::string unknown{};

  template <class Word>
  std::optional<Word> word(int column, std::string_view what,
                           std::optional<Word> (*parse)(std::string_view)) {
    const auto known = parse(row.text(column));
    if (!known && unknown.empty())
      unknown = fmt::format("this version knows no {} \"{}\"", what, row.text(column).substr(0, 32));
    return known;
  }
  // Of operations, claims, sends.
  std::int32_t count(int column) {
    const auto value = row.integer(column);
    const bool is_known = value >= 0 && std::in_range<std::int32_t>(value);
    if (!is_known && unknown.empty()) unknown = fmt::format("{} is no number of operations", value);
    return static_cast<std::int32_t>(value);
  }
};

// What a row of transaction_columns, or of operation_columns, holds. A Row has integer(i), boolean(i),
// uuid(i), text(i), time(i) and optional_time(i), from 0.
template <class Row>
Readable<payment::Transaction> get_transaction(const Row& row) {
  ReadKnown<Row> read{row};
  const auto currency = read.word(3, "currency", Currency::parse_stored);
  const auto capture_method = read.word(4, "capture method", payment::parse_capture_method);
  const auto status = read.word(5, "status", payment::parse_status);
  const auto operation_count = read.count(11);
  if (!read.unknown.empty()) return std::unexpected(std::move(read.unknown));
  payment::Transaction transaction{
      .id = {row.uuid(1)},
      .merchant_id = {row.integer(0)},
      .amount = Money(row.integer(2), *currency),
      .capture_method = *capture_method,
      .status = *status,
      .authorized_minor = row.integer(6),
      .captured_minor = row.integer(7),
      .refunded_minor = row.integer(8),
      .held_minor = row.integer(9),
      .version = row.integer(10),
      .operation_count = operation_count,
      .next_action_at = row.optional_time(12),
      .reason = std::string(row.text(13)),
      .derived_reference = std::string(row.text(14)),
      .reference = std::string(row.text(15)),
      .description = std::string(row.text(16)),
      .metadata = std::string(row.text(17)),
      .created_at = row.time(18),
      .updated_at = row.time(19),
  };
  return sound(std::move(transaction));
}

// `currency`: of its transaction.
template <class Row>
Readable<payment::Operation> get_operation(const Row& row, Currency currency) {
  ReadKnown<Row> read{row};
  const auto kind = read.word(3, "kind of operation", payment::parse_kind);
  const auto phase = read.word(6, "phase of an operation", payment::parse_phase);
  const auto reason_kind = read.word(16, "kind of reason", payment::parse_reason_kind);
  const std::array counts{read.count(2), read.count(10), read.count(11), read.count(12)};
  if (!read.unknown.empty()) return std::unexpected(std::move(read.unknown));
  return payment::Operation{
      .number = counts[0],
      .kind = *kind,
      .amount = Money(row.integer(4), currency),
      .is_final = row.boolean(5),
      .phase = *phase,
      .psp = std::string(row.text(7)),
      .idempotency_key = std::string(row.text(8)),
      .request = std::string(row.text(9)),
      .claims = counts[1],
      .sends = counts[2],
      .look_ups = counts[3],
      .psp_reference = std::string(row.text(13)),
      .reason = {std::string(row.text(14)), std::string(row.text(15)), *reason_kind},
      .taken_back = row.boolean(17),
      .reference = std::string(row.text(18)),
      .note = std::string(row.text(19)),
      .resolution = std::string(row.text(20)),
      .due_at = row.optional_time(21),
      .requested_at = row.time(22),
      .sent_at = row.optional_time(23),
      .ended_at = row.optional_time(24),
  };
}

// Its id, its name, its password's hash, whether it is enabled.
inline constexpr auto read_user_columns = std::span(user_columns).first<4>();

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
