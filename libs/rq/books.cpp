#include "rq/books.hpp"

#include <charconv>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/assert.hpp"
#include "rq/job.hpp"
#include "rq/names.hpp"
#include "rq/scripts.hpp"
#include "rq/zlib.hpp"

namespace switchyard::rq {
namespace {

std::int64_t seconds_of(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::int64_t number_or(std::string_view text, std::int64_t otherwise) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // RQ knows -1 only; far beyond any use, Redis would refuse the time.
  constexpr std::int64_t most = 10LL * 365 * 86'400;
  return error == std::errc() && end == text.data() + text.size() && number >= -1 && number <= most
             ? number
             : otherwise;
}

}  // namespace

std::string_view to_string(WorkerState state) {
  switch (state) {
    case WorkerState::started:
      return "started";
    case WorkerState::suspended:
      return "suspended";
    case WorkerState::busy:
      return "busy";
    case WorkerState::idle:
      return "idle";
  }
  SWITCHYARD_ASSERT(false);
}

redis::Commands birth(const WorkerIdentity& worker, Timestamp now) {
  const auto key = worker_key(worker.name);
  const auto time = format_time(now);
  redis::Commands commands;
  commands.add({"MULTI"})
      .add({"DEL", key})
      .add({"HSET",
            key,
            "birth",
            time,
            "last_heartbeat",
            time,
            "queues",
            queue_name,
            "pid",
            std::to_string(worker.pid),
            "hostname",
            worker.hostname,
            "ip_address",
            worker.address,
            "version",
            worker.version,
            "python_version",
            our_python_version,
            "state",
            to_string(WorkerState::started)})
      .add({"SADD", workers_key, key})
      .add({"SADD", queue_workers_key, key})
      .add({"EXPIRE", key, std::to_string(worker_ttl.count())})
      .add({"EXEC"});
  return commands;
}

redis::Commands heartbeat(const std::string& name, WorkerState state, Timestamp now) {
  const auto key = worker_key(name);
  redis::Commands commands;
  commands.add({"EXISTS", key})
      .add({"HSET", key, "last_heartbeat", format_time(now), "state", to_string(state)})
      .add({"EXPIRE", key, std::to_string(worker_ttl.count())});
  return commands;
}

redis::Commands death(const std::string& name, Timestamp now) {
  const auto key = worker_key(name);
  redis::Commands commands;
  commands.add({"MULTI"})
      .add({"SREM", workers_key, key})
      .add({"SREM", queue_workers_key, key})
      .add({"HSET", key, "death", format_time(now)})
      .add({"EXPIRE", key, std::to_string(dead_worker_ttl.count())})
      .add({"EXEC"});
  return commands;
}

redis::ScriptCall start(std::span<const std::string> ids, const std::string& worker, Timestamp now,
                        Timestamp until) {
  redis::ScriptCall call(start_script(), {started_key, intermediate_key});
  call.argument(format_time(now)).argument(worker).argument(seconds_of(until));
  for (const auto& id : ids) call.argument(id);
  return call;
}

KeptFor::KeptFor() : result_s(result_ttl.count()), failure_s(failure_ttl.count()) {}

KeptFor::KeptFor(std::string_view result_text, std::string_view failure_text)
    : result_s(number_or(result_text, result_ttl.count())),
      failure_s(number_or(failure_text, failure_ttl.count())) {}

std::optional<payment::Status> outcome_of_job(const payment::State& state) {
  using payment::Phase;
  const auto* authorization = payment::find_authorization(state);
  if (authorization == nullptr) return std::nullopt;
  switch (authorization->phase) {
    case Phase::requested:
    case Phase::sent:
    case Phase::pending:
    case Phase::unknown:
    case Phase::action_required:
      return std::nullopt;
    case Phase::succeeded:
      return state.transaction.capture_method == payment::CaptureMethod::automatic
                 ? payment::Status::captured
                 : payment::Status::authorized;
    case Phase::declined:
      return payment::Status::declined;
    case Phase::rejected:
    case Phase::failed:
      return payment::Status::failed;
    case Phase::manual_review:
      return payment::Status::manual_review;
  }
  SWITCHYARD_ASSERT(false);
}

std::string reason_of_job(const payment::State& state) {
  const auto* authorization = payment::find_authorization(state);
  return authorization == nullptr ? std::string() : authorization->reason.text();
}

redis::ScriptCall finish(std::span<const EndedJob> jobs, const std::string& worker, Timestamp now) {
  redis::ScriptCall call(finish_script(),
                         {started_key, finished_key, failed_key, intermediate_key, worker_key(worker)});
  call.argument(format_time(now)).argument(seconds_of(now));
  for (const auto& job : jobs) {
    const bool failed = job.status == payment::Status::failed || job.status == payment::Status::manual_review;
    const auto word = payment::to_string(job.status);
    const auto result = job.kept_for.in_json ? fmt::format(R"("{}")", word) : pickle_text(word);
    const auto value = failed ? deflate_stored(fmt::format("{}: {}", word, job.reason)) : result;
    call.argument(job.id)
        .argument(failed ? "failed" : "finished")
        .argument(failed ? job.kept_for.failure_s : job.kept_for.result_s)
        .argument(value)
        .argument(base64(value));
  }
  return call;
}

redis::ScriptCall reject(std::span<const RejectedJob> jobs, Timestamp now) {
  redis::ScriptCall call(reject_script(), {intermediate_key, failed_key});
  call.argument(format_time(now)).argument(seconds_of(now + failure_ttl)).argument(failure_ttl.count());
  for (const auto& [id, reason] : jobs) {
    const auto wrapped = deflate_stored(reason);
    call.argument(id).argument(reason).argument(wrapped).argument(base64(wrapped));
  }
  return call;
}

std::string base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string from_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3 + 1, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  // EVP counts the zero bits of the padding.
  const auto padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
  bytes.resize(static_cast<std::size_t>(size) - std::min<std::size_t>(padding, 2));
  return bytes;
}

}  // namespace switchyard::rq
