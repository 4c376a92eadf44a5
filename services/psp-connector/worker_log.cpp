#include "psp-connector/worker_log.hpp"

#include <fmt/format.h>

#include "base/id.hpp"
#include "base/version.hpp"

namespace switchyard::connector {
namespace {

// RQ's default result_ttl.
constexpr int result_kept_s = 500;

}  // namespace

WorkerLog::WorkerLog(Log& log) : log_(log), name_(random_hex(16)) {}

void WorkerLog::started() {
  log_.info(fmt::format("Worker rq:worker:{}: started, version {}", name_, version), {{"worker", name_}});
  log_.info(fmt::format("Subscribing to channel rq:pubsub:{}", name_), {{"worker", name_}});
  log_.info("*** Listening on default...", {{"queue", "default"}});
  log_.info("Cleaning registries for queue: default", {{"queue", "default"}});
  log_.flush();
}

void WorkerLog::job_started(const payment::Transaction& transaction) {
  if (!log_.enabled(LogLevel::info)) return;
  const auto id = transaction.id.value.to_string();
  const auto merchant = transaction.merchant_id.value;
  const auto amount = transaction.amount.minor();
  const auto currency = transaction.amount.currency().code();
  log_.info(fmt::format("default: __main__.make_transaction(amount={}, currency='{}', user_id={}) ({})",
                        amount, currency, merchant, id),
            {{"queue", "default"},
             {"transaction_id", id},
             {"user_id", merchant},
             {"amount", amount},
             {"currency", currency}});
}

void WorkerLog::making_transaction(const payment::Transaction& transaction) {
  if (!log_.enabled(LogLevel::info)) return;
  const auto id = transaction.id.value.to_string();
  const auto merchant = transaction.merchant_id.value;
  const auto amount = transaction.amount.minor();
  const auto currency = transaction.amount.currency().code();
  log_.print(fmt::format("==> Making transaction with PSP: User ID: {}, Amount: {}, Currency: {}", merchant,
                         amount, currency),
             {{"transaction_id", id}, {"user_id", merchant}, {"amount", amount}, {"currency", currency}});
}

void WorkerLog::job_ended(const payment::Transaction& transaction) {
  const bool needs_a_person = transaction.status == payment::Status::manual_review;
  if (!log_.enabled(needs_a_person ? LogLevel::warning : LogLevel::info)) return;
  const auto id = transaction.id.value.to_string();
  const auto status = payment::to_string(transaction.status);
  switch (transaction.status) {
    case payment::Status::authorized:
    case payment::Status::captured:
    case payment::Status::declined:
      log_.info(fmt::format("default: Job OK ({})", id), {{"transaction_id", id}, {"status", status}});
      log_.info(fmt::format("Result is kept for {} seconds", result_kept_s), {{"transaction_id", id}});
      break;
    default: {
      const auto message = fmt::format("default: Job not done ({}): {}, {}", id, status, transaction.reason);
      const Log::Fields fields{{"transaction_id", id}, {"status", status}, {"reason", transaction.reason}};
      if (needs_a_person) {
        log_.warning(message, fields);
      } else {
        log_.info(message, fields);
      }
    }
  }
}

void WorkerLog::stopping() {
  log_.info("Warm shut down requested", {{"worker", name_}});
  log_.info(fmt::format("Unsubscribing from channel rq:pubsub:{}", name_), {{"worker", name_}});
  log_.flush();
}

}  // namespace switchyard::connector
