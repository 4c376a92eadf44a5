#include "rq/job_state.hpp"

#include <algorithm>
#include <charconv>

#include "money/printable.hpp"
#include "rq/job.hpp"
#include "rq/names.hpp"

namespace switchyard::rq {
namespace {

// RQ's own: a heartbeat comes each 30 seconds and counts for 60 more.
constexpr std::chrono::seconds heartbeat_grace{90};

const std::string& text_at(const redis::Reply& reply, std::size_t index) {
  static const std::string none;
  return index < reply.elements.size() ? reply.elements[index].text : none;
}

// Without an entry in the registry: when its time was up.
Timestamp latest_end(const JobState& job) {
  std::int64_t timeout_s = job_timeout.count();
  std::from_chars(job.timeout.data(), job.timeout.data() + job.timeout.size(), timeout_s);
  const auto begun = job.started_at.value_or(Timestamp());
  const auto seen = std::max(begun, job.last_heartbeat.value_or(begun));
  return std::max(begun + std::chrono::seconds(std::clamp<std::int64_t>(timeout_s, 0, 86'400)), seen) +
         heartbeat_grace;
}

}  // namespace

JobState read_job_state(const redis::Reply& reply) {
  JobState job;
  job.known = !reply.elements.empty() && reply.elements[0].integer == 1;
  if (!job.known) return job;
  job.status = text_at(reply, 1);
  job.started_at = parse_time(text_at(reply, 2));
  job.last_heartbeat = parse_time(text_at(reply, 3));
  job.timeout = text_at(reply, 4);
  job.worker_name = text_at(reply, 5);
  job.switchyard_worker = text_at(reply, 6);
  job.missed = !text_at(reply, 7).empty();
  return job;
}

Verdict judge(const JobState& job, std::optional<Timestamp> registered_until, Timestamp now) {
  if (!job.known) return Verdict::enqueue;
  if (job.status == "queued") return Verdict::look_for;
  if (job.status == "deferred" || job.status == "scheduled") return Verdict::leave;
  // The store is asked again before this is believed.
  if (job.is_ours()) return Verdict::start_anew;
  if (job.status == "finished") return Verdict::captured;
  if (job.status == "started") {
    return registered_until.value_or(latest_end(job)) > now ? Verdict::leave : Verdict::out_of_hand;
  }
  if (job.status == "stopped") return Verdict::out_of_hand;
  if (job.status == "failed") {
    // RQ 1.15 and newer fail what its worker took and never began.
    return job.started_at ? Verdict::failed : Verdict::start_anew;
  }
  // By a person, before anybody began it.
  if (job.status == "canceled") return job.started_at ? Verdict::out_of_hand : Verdict::failed;
  return Verdict::leave;
}

bool may_be_begun(std::string_view status, bool somebody_began) {
  if (status.empty() || status == "queued") return true;
  // Words that say by themselves that it was begun, ended or called off.
  constexpr std::string_view told[] = {"started", "finished", "stopped", "canceled"};
  return !somebody_began && std::ranges::find(told, status) == std::end(told);
}

bool tells_of_a_killed_worker(std::string_view exc_info) {
  // The words of RQ 1.10 to 2.10 for an entry that expired, a work horse that died, a job that took too long.
  constexpr std::string_view words[] = {
      "Moved to FailedJobRegistry",        "AbandonedJobError",   "Work-horse terminated unexpectedly",
      "Work-horse process was terminated", "JobTimeoutException", "ShutDownImminentException"};
  return std::ranges::any_of(words, [&](auto word) { return exc_info.find(word) != std::string_view::npos; });
}

std::string last_line(std::string_view exc_info) {
  constexpr std::string_view space = " \t\r\n";
  const auto end = exc_info.find_last_not_of(space);
  if (end == std::string_view::npos) return "no reason given";
  exc_info = exc_info.substr(0, end + 1);
  auto line = exc_info.substr(exc_info.find_last_of('\n') + 1);
  line = line.substr(line.find_first_not_of(space));
  return printable(line);
}

}  // namespace switchyard::rq
