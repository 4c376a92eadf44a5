#include "rq/foreign_failures.hpp"

#include <charconv>

#include "redis/commands.hpp"
#include "rq/job_state.hpp"
#include "rq/scripts.hpp"

namespace switchyard::rq {
namespace {

constexpr std::string_view noted_key = "switchyard:foreign-failures";
constexpr std::string_view page_size = "1000";

std::optional<ForeignFailures::Job> read_job(std::string_view id, std::string_view merchant) {
  const auto uuid = Uuid::parse(id);
  MerchantId owner{};
  const auto [end, error] = std::from_chars(merchant.data(), merchant.data() + merchant.size(), owner.value);
  if (!uuid || error != std::errc() || end != merchant.data() + merchant.size()) return std::nullopt;
  return ForeignFailures::Job{owner, {*uuid}};
}

}  // namespace

Task<Result<void>> ForeignFailures::note(Job job, redis::Deadline deadline) {
  redis::Commands set{"HSET", noted_key, job.id.value.to_string(), std::to_string(job.merchant.value)};
  const auto reply = co_await client_.command(std::move(set), deadline);
  if (!reply) co_return std::unexpected(reply.error());
  co_return redis::require_no_error(*reply);
}

Task<Result<void>> ForeignFailures::forget(const std::vector<Job>& jobs, redis::Deadline deadline) {
  if (jobs.empty()) co_return Result<void>();
  redis::Commands commands;
  for (const auto& job : jobs) commands.add({"HDEL", noted_key, job.id.value.to_string()});
  const auto replies = co_await client_.pipeline(std::move(commands), deadline);
  if (!replies) co_return std::unexpected(replies.error());
  co_return redis::require_no_error(*replies);
}

// A hash that is small comes whole, one that is large in pages.
Task<Result<std::vector<ForeignFailures::Job>>> ForeignFailures::next_page(std::vector<std::string>& wrong,
                                                                           redis::Deadline deadline) {
  redis::Commands scan{"HSCAN", noted_key, cursor_, "COUNT", page_size};
  const auto reply = co_await client_.command(std::move(scan), deadline);
  if (!reply) co_return std::unexpected(reply.error());
  if (const auto checked = redis::require_no_error(*reply); !checked)
    co_return std::unexpected(checked.error());
  std::vector<Job> page;
  if (reply->elements.size() != 2) co_return page;
  cursor_ = reply->elements[0].text;
  const auto& entries = reply->elements[1].elements;
  for (std::size_t i = 0; i + 1 < entries.size(); i += 2) {
    const auto job = read_job(entries[i].text, entries[i + 1].text);
    if (job) page.push_back(*job);
    if (!job) wrong.push_back(entries[i].text);
  }
  co_return page;
}

Task<Result<std::vector<ForeignFailures::Job>>> ForeignFailures::finished(redis::Deadline deadline) {
  std::vector<std::string> wrong;
  const auto page = co_await next_page(wrong, deadline);
  if (!page) co_return page;
  std::vector<Job> finished;
  redis::Commands drop;
  if (!page->empty()) {
    redis::ScriptCall inspect(inspect_script(), {});
    for (const auto& job : *page) inspect.argument(job.id.value.to_string());
    const auto reply = co_await inspect.run(client_, deadline);
    if (!reply) co_return std::unexpected(reply.error());
    if (reply->elements.size() != page->size()) {
      co_return fail(ErrorCode::queue_unavailable, "Redis tells of other jobs than it was asked for");
    }
    for (std::size_t i = 0; i < page->size(); ++i) {
      const auto state = read_job_state(reply->elements[i]);
      // One of ours that took it up knows that it is settled, and does nothing.
      if (!state.known) drop.add({"HDEL", noted_key, (*page)[i].id.value.to_string()});
      if (state.known && state.status == "finished" && !state.is_ours()) finished.push_back((*page)[i]);
    }
  }
  for (const auto& field : wrong) drop.add({"HDEL", noted_key, field});
  const auto dropped = co_await client_.pipeline(std::move(drop), deadline);
  if (!dropped) co_return std::unexpected(dropped.error());
  co_return finished;
}

}  // namespace switchyard::rq
