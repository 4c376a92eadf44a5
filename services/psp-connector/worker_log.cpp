#include "psp-connector/worker_log.hpp"

#include <fmt/format.h>

#include "base/id.hpp"
#include "base/version.hpp"

namespace switchyard::connector {
namespace {

// RQ's default result_ttl.
constexpr int result_kept_s = 500;

std::string_view what_is_made(const payment::Step& step) {
  const auto kind = step.operation().kind;
  return kind == payment::Kind::authorize ? "transaction" : payment::to_string(kind);
}

std::string transaction_id_of(const payment::Step& step) {
  return step.state.transaction.id.value.to_string();
}

// An authorization is the transaction's job.
std::string job_of(const payment::Step& step) {
  const auto& operation = step.operation();
  return operation.kind == payment::Kind::authorize
             ? transaction_id_of(step)
             : fmt::format("{}-{}", transaction_id_of(step), operation.number);
}

}  // namespace

WorkerLog::WorkerLog(Log& log) : log_(log), name_(random_hex(16)) {}

void WorkerLog::started() {
  log_.info(fmt::format("Worker rq:worker:{}: started, version {}", name_, version), {{"worker", name_}});
  log_.info(fmt::format("Subscribing to channel rq:pubsub:{}", name_), {{"worker", name_}});
  log_.info("*** Listening on default...", {{"queue", "default"}});
  log_.info("Cleaning registries for queue: default", {{"queue", "default"}});
  log_.flush();
}

void WorkerLog::job_started(const payment::Step& step) {
  if (!log_.enabled(LogLevel::info)) return;
  const auto job = job_of(step);
  const auto merchant = step.state.transaction.merchant_id.value;
  const auto amount = step.operation().amount.minor();
  const auto currency = step.operation().amount.currency().code();
  log_.info(fmt::format("default: __main__.make_{}(amount={}, currency='{}', user_id={}) ({})",
                        what_is_made(step), amount, currency, merchant, job),
            {{"queue", "default"},
             {"transaction_id", transaction_id_of(step)},
             {"user_id", merchant},
             {"amount", amount},
             {"currency", currency}});
}

void WorkerLog::making(const payment::Step& step) {
  if (!log_.enabled(LogLevel::info)) return;
  const auto merchant = step.state.transaction.merchant_id.value;
  const auto amount = step.operation().amount.minor();
  const auto currency = step.operation().amount.currency().code();
  log_.print(fmt::format("==> Making {} with PSP: User ID: {}, Amount: {}, Currency: {}", what_is_made(step),
                         merchant, amount, currency),
             {{"transaction_id", transaction_id_of(step)},
              {"user_id", merchant},
              {"amount", amount},
              {"currency", currency}});
}

void WorkerLog::job_ended(const payment::Step& step) {
  const auto& operation = step.operation();
  const bool needs_a_person = operation.phase == payment::Phase::manual_review;
  if (!log_.enabled(needs_a_person ? LogLevel::warning : LogLevel::info)) return;
  const auto job = job_of(step);
  const auto id = transaction_id_of(step);
  const bool is_transaction = operation.kind == payment::Kind::authorize;
  const auto status = is_transaction ? payment::to_string(step.state.transaction.status)
                                     : payment::to_string(operation.phase);
  if (operation.phase == payment::Phase::succeeded || operation.phase == payment::Phase::declined) {
    log_.info(fmt::format("default: Job OK ({})", job), {{"transaction_id", id}, {"status", status}});
    log_.info(fmt::format("Result is kept for {} seconds", result_kept_s), {{"transaction_id", id}});
    return;
  }
  const auto& reason = operation.reason.text();
  const auto message = fmt::format("default: Job not done ({}): {}, {}", job, status, reason);
  const Log::Fields fields{{"transaction_id", id}, {"status", status}, {"reason", reason}};
  if (needs_a_person) {
    log_.warning(message, fields);
  } else {
    log_.info(message, fields);
  }
}

void WorkerLog::stopping() {
  log_.info("Warm shut down requested", {{"worker", name_}});
  log_.info(fmt::format("Unsubscribing from channel rq:pubsub:{}", name_), {{"worker", name_}});
  log_.flush();
}

}  // namespace switchyard::connector
