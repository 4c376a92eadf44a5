// Jobs from Redis: a payload in pickle or JSON, in zlib or not. What is understood is the same whoever wrote
// it, within its bounds, and reads the same when we write it ourselves.
#include "rq/pickle.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "fuzz/input.hpp"
#include "rq/job.hpp"
#include "rq/zlib.hpp"

namespace switchyard::fuzz {
namespace {

using namespace rq;

constexpr Timestamp now{std::chrono::seconds(1'700'000'000)};
constexpr std::size_t detail_bytes_max = 200;

bool is_refusal(const Error& error) {
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  return error.code == ErrorCode::invalid_argument && !error.detail.empty() &&
         error.detail.size() <= detail_bytes_max && std::ranges::all_of(error.detail, printable);
}

// Visits all that a pickle holds, each value once: it may hold itself.
void check_values(const Pickled& pickled, const PickledValue& value, std::vector<bool>& seen) {
  SWITCHYARD_ASSERT(value.kind != PickledValue::Kind::dict || value.items.size() % 2 == 0);
  for (const auto item : value.items) {
    SWITCHYARD_ASSERT(item < PickleLimits().values_max);
    if (seen[item]) continue;
    seen[item] = true;
    check_values(pickled, pickled.at(item), seen);
  }
}

void check_pickle(std::string_view bytes) {
  const auto pickled = read_pickle(bytes);
  if (!pickled) {
    SWITCHYARD_ASSERT(is_refusal(pickled.error()));
    return;
  }
  std::vector<bool> seen(PickleLimits().values_max);
  check_values(*pickled, pickled->root(), seen);
}

payment::Transaction transaction_of(const Call& call) {
  return {.id = {},
          .merchant_id = call.merchant_id,
          .amount = call.amount,
          .next_action_at = now,
          .created_at = now,
          .updated_at = now};
}

bool same(const Result<Call>& left, const Call& right) {
  return left && left->merchant_id == right.merchant_id && left->amount == right.amount;
}

std::string as_json(const Call& call) {
  return fmt::format(R"(["__main__.make_transaction",null,[],{{"currency":"{}","amount":{},"user_id":{}}}])",
                     call.amount.currency().code(), call.amount.minor(), call.merchant_id.value);
}

void check_call(std::string_view bytes) {
  const auto call = read_call(bytes);
  if (!call) {
    SWITCHYARD_ASSERT(is_refusal(call.error()));
    return;
  }
  SWITCHYARD_ASSERT(call->merchant_id.value > 0 && call->amount.minor() > 0);
  const auto pickled = pickle_call(transaction_of(*call));
  SWITCHYARD_ASSERT(same(read_call(pickled), *call));
  SWITCHYARD_ASSERT(same(read_call(deflate_stored(pickled)), *call));
  SWITCHYARD_ASSERT(same(read_call(as_json(*call)), *call));
}

void check_zlib(std::string_view bytes, std::size_t bytes_max) {
  const auto inflated = inflate(bytes, bytes_max);
  if (!inflated) {
    SWITCHYARD_ASSERT(is_refusal(inflated.error()));
  } else {
    SWITCHYARD_ASSERT(inflated->size() <= bytes_max);
    SWITCHYARD_ASSERT(inflate(bytes, inflated->size()) == inflated);
    SWITCHYARD_ASSERT(inflated->empty() || !inflate(bytes, inflated->size() - 1));
    SWITCHYARD_ASSERT(!inflate(std::string(bytes) + "x", bytes_max));
  }
  if (bytes.size() > 0xffff) return;
  const auto stored = deflate_stored(bytes);
  SWITCHYARD_ASSERT(inflate(stored, bytes.size()) == std::string(bytes));
  SWITCHYARD_ASSERT(bytes.empty() || !inflate(stored, bytes.size() - 1));
}

void check_time(std::string_view text) {
  const auto time = parse_time(text);
  if (time) SWITCHYARD_ASSERT(parse_time(format_time(*time)) == time);
}

void check_transaction(std::string_view id, std::string_view data, std::string_view created_at) {
  const auto read = read_job(id, data, created_at, now);
  if (!read) {
    SWITCHYARD_ASSERT(is_refusal(read.error()));
    return;
  }
  const auto& transaction = read->transaction;
  SWITCHYARD_ASSERT(transaction.id.value.to_string() == id && transaction.status == payment::Status::queued);
  SWITCHYARD_ASSERT(same(read_call(data), {transaction.merchant_id, transaction.amount}));
  SWITCHYARD_ASSERT(parse_time(format_time(transaction.created_at)) == transaction.created_at);
}

}  // namespace

// A payload. As a job it also has a line for its id and one for its time in front.
void check(Input input) {
  auto job = input;
  const auto bytes = input.rest();
  check_pickle(bytes);
  check_call(bytes);
  check_call(deflate_stored(bytes.substr(0, 0xffff)));
  check_zlib(bytes, 4096);

  const auto id = job.line();
  const auto created_at = job.line();
  check_time(created_at);
  check_transaction(id, job.rest(), created_at);
}

}  // namespace switchyard::fuzz
