#include "rq/janitor.hpp"

#include <fmt/format.h>

#include "rq/job.hpp"
#include "rq/job_state.hpp"
#include "rq/names.hpp"
#include "rq/scripts.hpp"

namespace switchyard::rq {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds janitor_deadline{10};
// In one look; the rest is for the next.
constexpr std::size_t jobs_in_a_look_max = 1'000;
// What is still worked on is looked at again after that.
constexpr std::chrono::seconds next_look{120};

redis::Deadline soon() {
  return steady_clock::now() + janitor_deadline;
}

}  // namespace

Janitor::Janitor(redis::Client& client, store::Store& store, const Clock& clock,
                 std::chrono::milliseconds patience)
    : client_(client), store_(store), clock_(clock), patience_(patience) {}

Task<Result<std::size_t>> Janitor::look() {
  Chores chores;
  const auto left = co_await left_in_the_middle();
  if (!left) co_return std::unexpected(left.error());
  for (const auto& id : *left) {
    const auto seen = co_await look_at(id, false, chores);
    if (!seen) co_return std::unexpected(seen.error());
  }
  const auto expired = co_await expired_entries();
  if (!expired) co_return std::unexpected(expired.error());
  for (const auto& id : *expired) {
    const auto seen = co_await look_at(id, true, chores);
    if (!seen) co_return std::unexpected(seen.error());
  }
  const auto done = co_await do_chores(chores);
  if (!done) co_return std::unexpected(done.error());
  const auto cleaned = co_await clean_registries();
  if (!cleaned) co_return std::unexpected(cleaned.error());
  co_return chores.give_back.size() + chores.drop.size() + chores.finish.size() + chores.reject.size();
}

// Those that have been there since a look long enough ago.
Task<Result<std::vector<std::string>>> Janitor::left_in_the_middle() {
  redis::Commands range{"LRANGE", intermediate_key, "0", std::to_string(jobs_in_a_look_max - 1)};
  auto reply = co_await client_.command(std::move(range), soon());
  if (!reply) co_return std::unexpected(reply.error());
  if (const auto checked = redis::require_no_error(*reply); !checked)
    co_return std::unexpected(checked.error());
  const auto now = steady_clock::now();
  std::unordered_map<std::string, SteadyTime> seen;
  std::vector<std::string> left;
  for (auto& element : reply->elements) {
    const auto known = first_seen_.find(element.text);
    const auto since = known == first_seen_.end() ? now : known->second;
    const bool first = seen.emplace(element.text, since).second;
    if (first && now - since >= patience_) left.push_back(std::move(element.text));
  }
  first_seen_ = std::move(seen);
  co_return left;
}

Task<Result<std::vector<std::string>>> Janitor::expired_entries() {
  const auto now_s = std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
  redis::Commands range{"ZRANGEBYSCORE",
                        started_key,
                        "0",
                        std::to_string(now_s),
                        "LIMIT",
                        "0",
                        std::to_string(jobs_in_a_look_max)};
  auto reply = co_await client_.command(std::move(range), soon());
  if (!reply) co_return std::unexpected(reply.error());
  if (const auto checked = redis::require_no_error(*reply); !checked)
    co_return std::unexpected(checked.error());
  std::vector<std::string> expired;
  for (auto& element : reply->elements) expired.push_back(std::move(element.text));
  co_return expired;
}

Task<Result<void>> Janitor::look_at(std::string id, bool begun, Chores& chores) {
  redis::Commands ask{"HMGET",       job_key(id),         "data",       "status",     "started_at",
                      "worker_name", "switchyard_worker", "created_at", "result_ttl", "failure_ttl"};
  const auto reply = co_await client_.command(std::move(ask), soon());
  if (!reply) co_return std::unexpected(reply.error());
  const auto& fields = reply->elements;
  const bool known = fields.size() == 8 && !fields[0].is_nil();
  if (!known) {
    if (!begun) chores.drop.push_back(std::move(id));
    co_return Result<void>();
  }
  const bool ours = !fields[4].text.empty() && fields[3].text == fields[4].text;
  // What another worker began is that worker's.
  const bool is_to_be_begun = fields[2].text.empty() && may_be_begun(fields[1].text, !fields[3].text.empty());
  if (!ours && (begun || !is_to_be_begun)) {
    if (!begun) chores.drop.push_back(std::move(id));
    co_return Result<void>();
  }

  const auto job = read_job(id, fields[0].text, fields[5].text, clock_.now());
  if (!job) {
    chores.reject.push_back({std::move(id), job.error().detail});
    co_return Result<void>();
  }
  const auto found = co_await store_.find_transaction(job->transaction.merchant_id, job->transaction.id);
  const bool is_aside = !found && found.error().code == ErrorCode::set_aside;
  const bool is_unknown = !found && found.error().code == ErrorCode::not_found;
  if (!found && !is_aside && !is_unknown) co_return std::unexpected(found.error());
  if (is_aside) {
    // It stops nobody else; once it can be read, the sweep finds it missing.
    chores.still_open.push_back(id);
    if (!begun) chores.drop.push_back(std::move(id));
    co_return Result<void>();
  }
  const bool nobody_began = is_unknown || found->transaction.status == payment::Status::queued;
  if (nobody_began) {
    if (!begun) chores.give_back.push_back(std::move(id));
  } else if (const auto outcome = outcome_of_job(*found)) {
    KeptFor kept_for(fields[6].text, fields[7].text);
    kept_for.in_json = job->in_json;
    chores.finish.push_back({std::move(id), *outcome, reason_of_job(*found), kept_for});
  } else {
    chores.still_open.push_back(id);
    if (!begun) chores.drop.push_back(std::move(id));
  }
  co_return Result<void>();
}

Task<Result<void>> Janitor::do_chores(const Chores& chores) {
  redis::Commands commands;
  for (const auto& id : chores.drop) commands.add({"LREM", intermediate_key, "1", id});
  const auto later =
      std::chrono::floor<std::chrono::seconds>(clock_.now() + next_look).time_since_epoch().count();
  for (const auto& id : chores.still_open)
    commands.add({"ZADD", started_key, "XX", std::to_string(later), id});
  const auto replies = co_await client_.pipeline(std::move(commands), soon());
  if (!replies) co_return std::unexpected(replies.error());
  if (const auto checked = redis::require_no_error(*replies); !checked) co_return checked;

  if (!chores.give_back.empty()) {
    redis::ScriptCall give_back(give_back_script(), {intermediate_key, queue_key});
    give_back.argument("LMOVE");
    for (auto id = chores.give_back.rbegin(); id != chores.give_back.rend(); ++id) give_back.argument(*id);
    const auto given = co_await give_back.run(client_, soon());
    if (!given) co_return std::unexpected(given.error());
  }
  if (!chores.finish.empty()) {
    const auto call = finish(chores.finish, "", clock_.now());
    const auto finished = co_await call.run(client_, soon());
    if (!finished) co_return std::unexpected(finished.error());
  }
  if (!chores.reject.empty()) {
    const auto call = reject(chores.reject, clock_.now());
    const auto rejected = co_await call.run(client_, soon());
    if (!rejected) co_return std::unexpected(rejected.error());
  }
  co_return Result<void>();
}

// As RQ's workers do: entries that are over. Started jobs of others are left to them.
Task<Result<void>> Janitor::clean_registries() {
  const auto now_s =
      std::to_string(std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count());
  redis::Commands commands;
  for (const auto registry : {finished_key, failed_key})
    commands.add({"ZREMRANGEBYSCORE", registry, "0", now_s});
  const auto replies = co_await client_.pipeline(std::move(commands), soon());
  if (!replies) co_return std::unexpected(replies.error());
  co_return redis::require_no_error(*replies);
}

}  // namespace switchyard::rq
