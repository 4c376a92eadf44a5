// One job of RQ: a hash in Redis whose `data` is a call of make_transaction.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "payment/transaction.hpp"

namespace switchyard::rq {

using Field = std::pair<std::string_view, std::string>;

// The hash of a job as Queue.enqueue() of RQ writes it; its id is the transaction's.
using EnqueuedFields = std::array<Field, 13>;
EnqueuedFields enqueued_fields(const payment::Transaction& transaction, Timestamp now);

// make_transaction(user_id=..., amount=..., currency=...) as RQ's default serializer writes it, before zlib.
std::string pickle_call(const payment::Transaction& transaction);
// A str: what job.return_value() gives in Python.
std::string pickle_text(std::string_view text);

// "__main__.make_transaction(amount=100, currency='USD', user_id=1)"
std::string describe(const payment::Transaction& transaction);

// What a call of make_transaction asks for.
struct Call {
  MerchantId merchant_id;
  Money amount;
  // Written by RQ's JSONSerializer, so that is what the result goes back in.
  bool in_json = false;
};
// Reads `data`: zlib or bare, pickle or JSON ([function, null, [], {...}]). The amount is a whole number or
// its decimal digits. Error, invalid_argument: the detail says what is not understood and repeats no value.
Result<Call> read_call(std::string_view data);

struct Job {
  // Not stored yet.
  payment::Transaction transaction;
  bool in_json = false;
};

// A job that somebody enqueued. Error, invalid_argument, also if the
// id is not a UUID in its canonical form. `created_at` is the hash's field: what is empty or wrong is `now`,
// what is later is, too, and what is older than RQ is as old as RQ.
Result<Job> read_job(std::string_view id, std::string_view data, std::string_view created_at, Timestamp now);

// RQ's form: "2026-11-22T18:00:00.123000Z", UTC.
std::string format_time(Timestamp time);
// With or without a fraction of a second.
std::optional<Timestamp> parse_time(std::string_view text);

}  // namespace switchyard::rq
