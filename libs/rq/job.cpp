#include "rq/job.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <variant>

#include <boost/json/value.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "http/json.hpp"
#include "rq/names.hpp"
#include "rq/pickle.hpp"
#include "rq/zlib.hpp"

namespace switchyard::rq {
namespace {

constexpr std::size_t payload_bytes_max = 64 * 1024;
// RQ is of November 2011: whatever a job says, it was not made before.
constexpr Timestamp first_job_at = std::chrono::sys_days{std::chrono::year{2011} / 11 / 1};

std::unexpected<Error> refuse(std::string detail) {
  return fail(ErrorCode::invalid_argument, std::move(detail));
}

// An argument as far as make_transaction has use for it; monostate for any other value.
using Argument = std::variant<std::monostate, std::int64_t, std::string>;

// What is left of a payload's four parts when both serializers are read.
struct Parts {
  std::string function;
  bool has_positional = false;
  std::vector<std::pair<std::string, Argument>> named;
  bool in_json = false;
};

constexpr std::string_view wrong_shape =
    "the payload is no call: a tuple of function, instance, args and kwargs";

Argument argument_of(const PickledValue& value) {
  if (value.kind == PickledValue::Kind::integer) return value.integer;
  if (value.kind == PickledValue::Kind::text) return value.text;
  return {};
}

Argument argument_of(const boost::json::value& value) {
  if (const auto* number = value.if_int64()) return *number;
  if (const auto* text = value.if_string()) return std::string(text->data(), text->size());
  return {};
}

Result<Parts> read_pickled_parts(std::string_view bytes) {
  using Kind = PickledValue::Kind;
  const auto pickled = read_pickle(bytes, {.bytes_max = payload_bytes_max});
  if (!pickled) return std::unexpected(pickled.error());
  const auto& root = pickled->root();
  if (root.kind != Kind::tuple || root.items.size() != 4) return refuse(std::string(wrong_shape));
  const auto& function = pickled->at(root.items[0]);
  const auto& instance = pickled->at(root.items[1]);
  const auto& args = pickled->at(root.items[2]);
  const auto& kwargs = pickled->at(root.items[3]);
  const bool is_call = function.kind == Kind::text && instance.kind == Kind::none &&
                       (args.kind == Kind::tuple || args.kind == Kind::list) && kwargs.kind == Kind::dict;
  if (!is_call) return refuse(std::string(wrong_shape));

  Parts parts{function.text, !args.items.empty(), {}, false};
  for (std::size_t i = 0; i < kwargs.items.size(); i += 2) {
    const auto& name = pickled->at(kwargs.items[i]);
    if (name.kind != Kind::text) return refuse("an argument's name is no text");
    parts.named.emplace_back(name.text, argument_of(pickled->at(kwargs.items[i + 1])));
  }
  return parts;
}

Result<Parts> read_json_parts(std::string_view text) {
  const auto value = http::parse_json(text);
  const auto* call = value ? value->if_array() : nullptr;
  if (call == nullptr || call->size() != 4) return refuse(std::string(wrong_shape));
  const auto& function = (*call)[0];
  const auto& kwargs = (*call)[3];
  if (!function.is_string() || !(*call)[1].is_null() || !(*call)[2].is_array() || !kwargs.is_object()) {
    return refuse(std::string(wrong_shape));
  }
  Parts parts{std::string(function.get_string()), !(*call)[2].get_array().empty(), {}, true};
  for (const auto& [name, argument] : kwargs.get_object()) {
    parts.named.emplace_back(std::string(name), argument_of(argument));
  }
  return parts;
}

Result<Parts> read_parts(std::string_view data) {
  if (data.size() > payload_bytes_max) return refuse("the payload is too large");
  // The first byte of zlib's header (RFC 1950, 2.2) begins neither a pickle nor JSON.
  if (data.starts_with('\x78')) {
    const auto inflated = inflate(data, payload_bytes_max);
    if (!inflated) return std::unexpected(inflated.error());
    return inflated->starts_with('[') ? read_json_parts(*inflated) : read_pickled_parts(*inflated);
  }
  return data.starts_with('[') ? read_json_parts(data) : read_pickled_parts(data);
}

Result<std::int64_t> read_amount(const Argument& argument) {
  if (const auto* number = std::get_if<std::int64_t>(&argument)) return *number;
  const auto* digits = std::get_if<std::string>(&argument);
  if (digits == nullptr) return refuse("is no whole number");
  return parse_amount_minor(*digits);
}

}  // namespace

EnqueuedFields enqueued_fields(const payment::Transaction& transaction, Timestamp now) {
  return {{
      {"created_at", format_time(transaction.created_at)},
      {"enqueued_at", format_time(now)},
      {"origin", std::string(queue_name)},
      {"description", describe(transaction)},
      {"timeout", std::to_string(job_timeout.count())},
      {"status", "queued"},
      {"data", deflate_stored(pickle_call(transaction))},
      {"started_at", {}},
      {"ended_at", {}},
      {"last_heartbeat", {}},
      {"worker_name", {}},
      {"success_callback_name", {}},
      {"failure_callback_name", {}},
  }};
}

std::string pickle_call(const payment::Transaction& transaction) {
  PickleWriter writer;
  writer.begin_tuple();
  writer.text(make_transaction);
  writer.none();
  writer.empty_tuple();
  writer.begin_dict();
  writer.text("user_id");
  writer.integer(transaction.merchant_id.value);
  writer.text("amount");
  writer.integer(transaction.amount.minor());
  writer.text("currency");
  writer.text(transaction.amount.currency().code());
  writer.end_dict();
  writer.end_tuple();
  return writer.finish();
}

std::string pickle_text(std::string_view text) {
  PickleWriter writer;
  writer.text(text);
  return writer.finish();
}

std::string describe(const payment::Transaction& transaction) {
  // RQ sorts the arguments and cuts each repr() at 75 characters, which none of these reaches.
  return fmt::format("{}(amount={}, currency='{}', user_id={})", make_transaction, transaction.amount.minor(),
                     transaction.amount.currency().code(), transaction.merchant_id.value);
}

Result<Call> read_call(std::string_view data) {
  const auto parts = read_parts(data);
  if (!parts) return std::unexpected(parts.error());
  if (parts->function != make_transaction) {
    return refuse(fmt::format("the job calls another function than {}", make_transaction));
  }
  if (parts->has_positional) return refuse("make_transaction takes its arguments by name");
  if (parts->named.size() != 3) return refuse("make_transaction takes user_id, amount and currency");

  std::optional<std::int64_t> user_id;
  std::optional<std::int64_t> amount_minor;
  std::optional<Currency> currency;
  for (const auto& [name, argument] : parts->named) {
    if (name == "user_id") {
      const auto* number = std::get_if<std::int64_t>(&argument);
      if (number == nullptr || *number <= 0) return refuse("user_id is no user's number");
      user_id = *number;
    } else if (name == "amount") {
      const auto read = read_amount(argument);
      if (!read) return refuse("amount " + read.error().detail);
      if (*read <= 0) return refuse("amount is not positive");
      amount_minor = *read;
    } else if (name == "currency") {
      const auto* code = std::get_if<std::string>(&argument);
      currency = code == nullptr ? std::nullopt : Currency::parse_stored(*code);
      if (!currency) return refuse("currency is no code of ISO 4217");
    }
  }
  if (!user_id || !amount_minor || !currency) {
    return refuse("make_transaction takes user_id, amount and currency");
  }
  return Call{MerchantId{*user_id}, Money(*amount_minor, *currency), parts->in_json};
}

Result<Job> read_job(std::string_view id, std::string_view data, std::string_view created_at, Timestamp now) {
  const auto uuid = Uuid::parse(id);
  // Another spelling would be another key in Redis.
  if (!uuid || uuid->to_string() != id) return refuse("the job's id is no UUID in lower case");
  const auto call = read_call(data);
  if (!call) return std::unexpected(call.error());
  payment::Transaction transaction{
      .id = {*uuid},
      .merchant_id = call->merchant_id,
      .amount = call->amount,
      .next_action_at = now,
      .created_at = std::clamp(parse_time(created_at).value_or(now), std::min(first_job_at, now), now),
      .updated_at = now,
  };
  return Job{std::move(transaction), call->in_json};
}

std::string format_time(Timestamp time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  // As a time_t: the clock's nanoseconds end in the years 1677 and 2262.
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}000Z",
                     fmt::gmtime(std::time_t{seconds.time_since_epoch().count()}), (time - seconds).count());
}

std::optional<Timestamp> parse_time(std::string_view text) {
  // 2026-11-22T18:00:00, then .123000Z or Z.
  constexpr std::string_view pattern = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < pattern.size() + 1 || text.back() != 'Z') return std::nullopt;
  std::array<int, 6> numbers{};
  std::size_t number = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != 'd') {
      if (text[i] != pattern[i]) return std::nullopt;
      ++number;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    numbers[number] = numbers[number] * 10 + (text[i] - '0');
  }
  const auto [year, month, day, hour, minute, second] = numbers;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // Python's datetime knows no leap second.
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;

  int micros = 0;
  auto fraction = text.substr(pattern.size(), text.size() - pattern.size() - 1);
  if (!fraction.empty()) {
    if (fraction.size() != 7 || fraction.front() != '.') return std::nullopt;
    const auto [end, error] = std::from_chars(fraction.data() + 1, fraction.data() + 7, micros);
    if (error != std::errc() || end != fraction.data() + 7 || micros < 0) return std::nullopt;
  }
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::milliseconds(micros / 1000);
}

}  // namespace switchyard::rq
