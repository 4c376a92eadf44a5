#include "rq/worker.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/version.hpp"
#include "rq/job.hpp"
#include "rq/job_state.hpp"
#include "rq/names.hpp"
#include "rq/scripts.hpp"

namespace switchyard::rq {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Bounds how long one claim holds up the commits of merchants, and one script everybody else in Redis.
constexpr std::size_t jobs_in_a_batch_max = 512;
// Some wait for the same commit while the next are taken.
constexpr std::size_t batches_max = 4;
constexpr std::size_t jobs_in_a_write_max = 256;
// Books that Redis does not take; beyond that the janitor finds out what became of the oldest.
constexpr std::size_t ended_max = 100'000;
constexpr milliseconds answer_max{5'000};
constexpr milliseconds pause_after_trouble{500};
constexpr milliseconds pause_when_full{5'000};
constexpr milliseconds look_at_suspension{1'000};
constexpr milliseconds beat_interval{1'000};
// A store that does not claim for so long: somebody else may have a better one.
constexpr milliseconds claim_patience{10'000};
// Redis' own wait for a job; short, so that a stop is.
constexpr std::string_view wait_s = "1";
// Behind the lease, before RQ takes a job for abandoned.
constexpr std::chrono::seconds grace{60};

redis::Deadline answer_by() {
  return steady_clock::now() + answer_max;
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

bool has_lmove(std::string_view info) {
  constexpr std::string_view field = "redis_version:";
  const auto at = info.find(field);
  if (at == std::string_view::npos) return false;
  const char* next = info.data() + at + field.size();
  const char* end = info.data() + info.size();
  int major = 0;
  int minor = 0;
  const auto parsed = std::from_chars(next, end, major);
  if (parsed.ptr < end && *parsed.ptr == '.') std::from_chars(parsed.ptr + 1, end, minor);
  return std::pair(major, minor) >= std::pair(6, 2);
}

bool is_out_of_memory(const Error& error) {
  return error.detail.find("OOM ") != std::string::npos;
}

std::string take_text(redis::Reply& reply, std::size_t index) {
  return index < reply.elements.size() ? std::move(reply.elements[index].text) : std::string();
}

}  // namespace

Worker::Worker(const WorkerSettings& settings, Executor executor, store::Store& store, Workbench bench,
               telemetry::Metrics& metrics, Log& log, const Clock& clock, std::function<void()> on_shutdown)
    : settings_(settings),
      executor_(executor),
      store_(store),
      bench_(std::move(bench)),
      log_(log),
      clock_(clock),
      on_shutdown_(std::move(on_shutdown)),
      identity_{.name = bench_.worker_name,
                .hostname = host_name(),
                .pid = ::getpid(),
                .address = "unknown",
                .version = std::string(version)},
      taken_(metrics.counter("switchyard_queue_jobs_taken_total", "Jobs taken from Redis.")),
      rejected_(metrics.counter("switchyard_queue_jobs_rejected_total",
                                "Jobs taken from Redis that are no transaction, or none that is accepted.")),
      left_(
          metrics.counter("switchyard_queue_jobs_left_total",
                          "Jobs taken from Redis that are not there, or that somebody else began or ended.")),
      commands_(executor, settings.url, command_callbacks()),
      blocking_(executor, settings.url),
      subscription_(executor, settings.url, subscription_callbacks()),
      troubles_(metrics, {"take", "books", "claim", "waiting", "suspended"}),
      room_(executor),
      to_write_(executor),
      beat_stop_(executor),
      batches_(executor),
      books_(executor) {
  bench_.take_queued_after(std::nullopt);
  // What merchants ask for later is no job of Redis.
  const auto on_saved = [this](const payment::Step& step) {
    if (step.operation().kind == payment::Kind::authorize) note(step.state);
  };
  bench_.observe(on_saved, [this] { room_.set(); });
}

Worker::~Worker() {
  bench_.observe({}, {});
}

redis::Client::Callbacks Worker::command_callbacks() {
  redis::Client::Callbacks callbacks;
  callbacks.on_connected = [this](redis::Connection& connection) { return introduce(connection); };
  callbacks.on_lost = [this](const Error& error) {
    log_.error(fmt::format("The worker has no connection to Redis: {}", error.detail));
  };
  return callbacks;
}

redis::Client::Callbacks Worker::subscription_callbacks() {
  redis::Client::Callbacks callbacks;
  callbacks.on_connected = [this](redis::Connection& connection) -> Task<Result<void>> {
    redis::Commands subscribe{"SUBSCRIBE", worker_channel(identity_.name)};
    const auto reply = co_await connection.command(std::move(subscribe), answer_by());
    if (!reply) co_return std::unexpected(reply.error());
    co_return redis::require_no_error(*reply);
  };
  callbacks.on_message = [this](const redis::Reply& message) { on_message(message); };
  return callbacks;
}

// Before the first job comes through it: who we are, what Redis can do, and the scripts, so that none is sent
// late. A full Redis refuses to be told, and is used all the same.
Task<Result<void>> Worker::introduce(redis::Connection& connection) {
  const auto address = connection.local_address();
  identity_.address = address.empty() ? "unknown" : address;
  redis::Commands commands{"INFO", "server"};
  for (const auto* script :
       {&take_script(), &start_script(), &finish_script(), &reject_script(), &give_back_script()}) {
    commands.add({"SCRIPT", "LOAD", script->source()});
  }
  const auto replies = co_await connection.pipeline(std::move(commands), answer_by());
  if (!replies) co_return std::unexpected(replies.error());
  // Where INFO is not allowed, the intermediate list is used as every Redis that is still maintained has it.
  has_lmove_ = replies->front().is_error() || has_lmove(replies->front().text);
  auto birth = rq::birth(identity_, clock_.now());
  const auto born = co_await connection.pipeline(std::move(birth), answer_by());
  if (!born) co_return std::unexpected(born.error());
  co_return Result<void>();
}

void Worker::on_message(const redis::Reply& message) {
  if (message.elements.size() != 3 || !message.elements[0].is("message")) return;
  boost::system::error_code error;
  const auto payload = boost::json::parse(message.elements[2].text, error);
  const auto* object = error ? nullptr : payload.if_object();
  const auto* command = object == nullptr ? nullptr : object->if_contains("command");
  if (command == nullptr || !command->is_string()) {
    log_.warning("A message on the worker's channel is no command");
  } else if (command->get_string() == "shutdown") {
    log_.info("Received shutdown command, sending SIGINT signal.");
    on_shutdown_();
  } else {
    // RQ's stop-job and kill-horse: what was sent to a PSP cannot be called back.
    log_.info("A command on the worker's channel was ignored: a payment is not stopped half way");
  }
}

void Worker::stop() {
  stopping_ = true;
  room_.set();
}

Task<void> Worker::pause(milliseconds duration) {
  SteadyTimer timer(executor_, duration);
  co_await timer.async_wait(use_tuple);
}

void Worker::tell(std::string_view what, std::string_view words, const Error& error) {
  if (is_out_of_memory(error)) full_until_ = steady_clock::now() + pause_when_full;
  const auto text = fmt::format("{}: {}", words, error.detail);
  troubles_.set(what, text);
  bench_.tell_trouble(troubles_.text());
  if (failures_.allow()) log_.error(text);
}

void Worker::works(std::string_view what) {
  if (troubles_.text().empty()) return;
  troubles_.set(what, {});
  bench_.tell_trouble(troubles_.text());
}

Task<void> Worker::run() {
  for (auto* client : {&commands_, &blocking_, &subscription_}) client->start();
  books_.spawn([this] { return keep_books(); });
  books_.spawn([this] { return beat(); });
  while (!stopping_) {
    if (batches_.size() >= batches_max || bench_.room() <= on_their_way_) {
      co_await room_.wait_until(steady_clock::now() + pause_after_trouble);
      continue;
    }
    if (!commands_.is_ready() || !blocking_.is_ready()) {
      co_await pause(milliseconds(50));
      continue;
    }
    const bool more = co_await take_some();
    if (!more) log_.flush();
  }
  co_await batches_.join_until(steady_clock::time_point::max());
}

std::string_view Worker::way_to_take() const {
  return has_lmove_ && steady_clock::now() >= full_until_ ? "LMOVE" : "LPOP";
}

// Takes what is there, or waits for one and takes what came with it. False if there was nothing.
Task<bool> Worker::take_some() {
  redis::ScriptCall take(take_script(), {queue_key, intermediate_key, suspended_key});
  const auto room = std::min(bench_.room() - on_their_way_, jobs_in_a_batch_max);
  const auto way = way_to_take();
  take.argument(static_cast<std::int64_t>(room)).argument(way);
  auto reply = co_await take.run(commands_, answer_by());
  if (reply && reply->elements.size() == 2 && reply->elements[1].elements.empty() && !suspended_ &&
      reply->elements[0].integer == 0 && !stopping_) {
    const auto id = co_await wait_for_one(way);
    if (!id) {
      tell("take", "No job can be taken from Redis", id.error());
      co_await pause(pause_after_trouble);
      co_return false;
    }
    if (id->empty()) co_return false;
    redis::ScriptCall rest(take_script(), {queue_key, intermediate_key, suspended_key});
    rest.argument(static_cast<std::int64_t>(room - 1)).argument(way).argument(*id);
    reply = co_await rest.run(commands_, answer_by());
  }
  if (!reply || reply->elements.size() != 2) {
    tell("take", "No job can be taken from Redis",
         reply ? Error{ErrorCode::queue_unavailable, "an answer of another form"} : reply.error());
    co_await pause(pause_after_trouble);
    co_return false;
  }

  works("take");
  note_suspended(reply->elements[0].integer == 1);
  auto& jobs = reply->elements[1].elements;
  if (!jobs.empty()) {
    std::vector<Entry> entries;
    entries.reserve(jobs.size());
    for (auto& job : jobs) {
      Entry entry;
      entry.has_payload = job.elements.size() > 1 && !job.elements[1].is_nil();
      entry.kept_for = KeptFor(take_text(job, 4), take_text(job, 5));
      entry.id = take_text(job, 0);
      entry.payload = take_text(job, 1);
      entry.status = take_text(job, 2);
      entry.created_at = take_text(job, 3);
      entry.asks_for = take_text(job, 6);
      entry.is_begun = !take_text(job, 7).empty();
      entries.push_back(std::move(entry));
    }
    taken_.Increment(static_cast<double>(entries.size()));
    on_their_way_ += entries.size();
    batches_.spawn(
        [this, way, entries = std::move(entries)]() mutable { return work_off(std::move(entries), way); });
  }
  if (suspended_) co_await pause(look_at_suspension);
  co_return !jobs.empty();
}

void Worker::note_suspended(bool suspended) {
  if (std::exchange(suspended_, suspended) == suspended) return;
  if (suspended) log_.info("Worker suspended, run `rq resume` to resume");
  troubles_.set("suspended", suspended ? fmt::format("suspended since {}: no job is taken until `rq resume`",
                                                     format_time(clock_.now()))
                                       : std::string());
  bench_.tell_trouble(troubles_.text());
}

Task<Result<std::string>> Worker::wait_for_one(std::string_view way) {
  redis::Commands wait;
  if (way == "LMOVE") {
    wait.add({"BLMOVE", queue_key, intermediate_key, "LEFT", "RIGHT", wait_s});
  } else {
    wait.add({"BLPOP", queue_key, wait_s});
  }
  const auto reply = co_await blocking_.command(std::move(wait), answer_by());
  if (!reply) co_return std::unexpected(reply.error());
  if (const auto checked = redis::require_no_error(*reply); !checked)
    co_return std::unexpected(checked.error());
  // BLPOP gives the list's name, too.
  if (reply->elements.size() == 2) co_return reply->elements[1].text;
  co_return reply->text;
}

bool Worker::move_unfit(Entry& entry, Batch& batch) {
  if (entry.has_payload) {
    if (may_be_begun(entry.status, entry.is_begun)) return false;
    // It is in the list again: what came of it the sweep finds out.
    const bool is_failed = entry.status == "failed" || entry.status == "stopped";
    auto why =
        fmt::format("its status is {}, and to begin it again could charge it twice", last_line(entry.status));
    batch.left.push_back({std::move(entry.id), std::move(why), is_failed});
  } else if (entry.status == "wrong type") {
    batch.left.push_back({std::move(entry.id), "its key in Redis is no hash"});
  } else if (entry.status == "dropped") {
    batch.left.push_back({std::move(entry.id), "its id is longer than 255 bytes"});
  } else if (entry.status.empty() && Uuid::parse(entry.id)) {
    // What Redis has forgotten of ours the sweep enqueues again.
    batch.left.push_back({std::move(entry.id), "Redis has no job of this id"});
  } else {
    const bool too_large = entry.status == "too large";
    batch.rejected.push_back(
        {std::move(entry.id), too_large ? "the payload is too large" : "there is no such job"});
  }
  return true;
}

Worker::Batch Worker::sort(std::vector<Entry> entries) {
  Batch batch;
  const auto now = clock_.now();
  for (auto& entry : entries) {
    if (move_unfit(entry, batch)) continue;
    auto job = read_job(entry.id, entry.payload, entry.created_at, now);
    if (!job) {
      batch.rejected.push_back({std::move(entry.id), std::move(job.error().detail)});
      continue;
    }
    if (!entry.asks_for.empty() && wishes_.allow()) {
      log_.warning(fmt::format("A job asks for{}, which this worker does not do; it is worked off without",
                               entry.asks_for),
                   {{"job", last_line(entry.id)}});
    }
    entry.kept_for.in_json = job->in_json;
    const bool is_usual = !entry.kept_for.in_json && entry.kept_for.result_s == result_ttl.count() &&
                          entry.kept_for.failure_s == failure_ttl.count();
    if (!is_usual && kept_for_.size() < ended_max)
      kept_for_.insert_or_assign(std::move(entry.id), entry.kept_for);
    batch.jobs.push_back(std::move(job->transaction));
  }
  return batch;
}

Task<void> Worker::work_off(std::vector<Entry> entries, std::string_view way) {
  const auto size = entries.size();
  auto batch = sort(std::move(entries));
  JobClaims claims;
  if (!batch.jobs.empty()) claims = co_await claim(std::move(batch.jobs));
  on_their_way_ -= size;
  std::erase_if(claims.jobs, [&batch, this](ClaimedJob& job) { return move_refused(job, batch); });
  co_await write_begun(claims.jobs);
  if (!claims.left.empty()) co_await give_back(claims.left, way);
  co_await write_refused(batch.rejected);
  co_await write_left(batch.left);
  room_.set();
}

bool Worker::move_refused(ClaimedJob& job, Batch& batch) {
  if (job.refusal.empty()) return false;
  auto id = job.step.state.transaction.id.value.to_string();
  kept_for_.erase(id);
  batch.rejected.push_back({std::move(id), std::move(job.refusal)});
  return true;
}

// A store that is away for a moment is waited for, because the jobs are in nobody else's hands.
Task<JobClaims> Worker::claim(std::vector<payment::Transaction> jobs) {
  const auto until = steady_clock::now() + claim_patience;
  auto left = std::move(jobs);
  JobClaims all;
  while (true) {
    auto some =
        co_await claim_jobs(executor_, store_, bench_, std::move(left), clock_.now(), settings_.amount_max);
    for (const auto& job : some.jobs) {
      if (job.is_ours) bench_.begin(job.step);
    }
    std::ranges::move(some.jobs, std::back_inserter(all.jobs));
    if (some.left.empty()) works("claim");
    if (some.left.empty() || stopping_ || steady_clock::now() >= until) {
      all.left = std::move(some.left);
      co_return all;
    }
    left = std::move(some.left);
    tell("claim", "Jobs cannot be claimed", *some.error);
    co_await pause(pause_after_trouble);
  }
}

Task<void> Worker::give_back(const std::vector<payment::Transaction>& jobs, std::string_view way) {
  redis::ScriptCall call(give_back_script(), {intermediate_key, queue_key});
  call.argument(way);
  for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
    const auto id = job->id.value.to_string();
    kept_for_.erase(id);
    call.argument(id);
  }
  // Without the intermediate list, or if this fails, the janitor and the sweep put them back.
  const auto given = co_await call.run(commands_, answer_by());
  if (!given) tell("books", "Jobs cannot be given back to Redis", given.error());
  co_await pause(pause_after_trouble);
}

Task<void> Worker::write_begun(const std::vector<ClaimedJob>& claimed) {
  if (claimed.empty()) co_return;
  std::vector<std::string> begun;
  redis::Commands drop;
  for (const auto& job : claimed) {
    auto id = job.step.state.transaction.id.value.to_string();
    if (job.is_ours) {
      begun.push_back(std::move(id));
      continue;
    }
    // A doubled or late job: whoever works on it writes the books, and if it has ended they are right or put
    // right.
    drop.add({"LREM", intermediate_key, "1", id});
    if (outcome_of_job(job.step.state)) note(job.step.state);
  }
  if (!begun.empty()) {
    const auto now = clock_.now();
    const auto call = start(begun, identity_.name, now, now + settings_.lease + grace);
    const auto written = co_await call.run(commands_, answer_by());
    if (!written) tell("books", "Started jobs cannot be written to Redis", written.error());
  }
  const auto dropped = co_await commands_.pipeline(std::move(drop), answer_by());
  if (!dropped) tell("books", "Doubled jobs cannot be taken out of Redis", dropped.error());
}

Task<void> Worker::write_refused(const std::vector<RejectedJob>& rejected) {
  if (rejected.empty()) co_return;
  rejected_.Increment(static_cast<double>(rejected.size()));
  if (rejections_.allow()) {
    const auto& [id, reason] = rejected.front();
    log_.warning(fmt::format("{} jobs were refused and moved to rq:failed:default; the first one: {}",
                             rejected.size(), reason),
                 {{"job", last_line(id)}});
  }
  const auto call = reject(rejected, clock_.now());
  const auto written = co_await call.run(commands_, answer_by());
  if (!written) tell("books", "Rejected jobs cannot be written to Redis", written.error());
}

Task<void> Worker::write_left(const std::vector<LeftJob>& left) {
  if (left.empty()) co_return;
  left_.Increment(static_cast<double>(left.size()));
  if (leavings_.allow()) {
    const auto& first = left.front();
    log_.warning(fmt::format("{} jobs in the queue were left as they are; the first one, {}: {}", left.size(),
                             last_line(first.id), first.why),
                 {{"job", last_line(first.id)}});
  }
  const auto until = clock_.now() + failure_ttl;
  const auto until_s = std::chrono::floor<std::chrono::seconds>(until).time_since_epoch().count();
  redis::Commands commands;
  for (const auto& job : left) {
    commands.add({"LREM", intermediate_key, "1", job.id});
    if (job.is_failed) commands.add({"ZADD", failed_key, "NX", std::to_string(until_s), job.id});
  }
  const auto written = co_await commands_.pipeline(std::move(commands), answer_by());
  if (!written) tell("books", "Jobs that are left as they are stay in Redis' lists", written.error());
}

void Worker::note(const payment::State& state) {
  const auto outcome = outcome_of_job(state);
  if (!outcome) {
    still_open_.push_back(state.transaction);
  } else {
    EndedJob job{state.transaction.id.value.to_string(), *outcome, reason_of_job(state), {}};
    if (const auto kept = kept_for_.extract(job.id)) job.kept_for = kept.mapped();
    if (ended_.size() >= ended_max) ended_.pop_front();
    ended_.push_back(std::move(job));
  }
  to_write_.set();
}

// What ends while a write is under way goes with the next.
Task<void> Worker::keep_books() {
  while (true) {
    if (!ended_.empty() && commands_.is_ready()) {
      const bool written = co_await write_ended();
      if (written) continue;
    }
    if (!still_open_.empty()) co_await write_still_open();
    if (signing_off_) co_return;
    co_await to_write_.wait_until(steady_clock::now() +
                                  (ended_.empty() ? std::chrono::hours(1) : beat_interval));
  }
}

Task<bool> Worker::write_ended() {
  std::vector<EndedJob> jobs;
  while (!ended_.empty() && jobs.size() < jobs_in_a_write_max) {
    jobs.push_back(std::move(ended_.front()));
    ended_.pop_front();
  }
  const auto call = finish(jobs, identity_.name, clock_.now());
  const auto written = co_await call.run(commands_, answer_by());
  if (!written) {
    tell("books", "Ended jobs cannot be written to Redis yet", written.error());
    // A second time is the same as once.
    ended_.insert(ended_.begin(), std::make_move_iterator(jobs.begin()), std::make_move_iterator(jobs.end()));
  }
  if (written) works("books");
  co_return written.has_value();
}

// An unknown outcome or another try: the entry lasts until after the next one.
Task<void> Worker::write_still_open() {
  redis::Commands commands;
  for (const auto& transaction : std::exchange(still_open_, {})) {
    const auto next = transaction.next_action_at.value_or(clock_.now()) + settings_.lease + grace;
    const auto until_s = std::chrono::floor<std::chrono::seconds>(next).time_since_epoch().count();
    commands.add({"ZADD", started_key, "XX", std::to_string(until_s), transaction.id.value.to_string()});
  }
  const auto written = co_await commands_.pipeline(std::move(commands), answer_by());
  if (!written) tell("books", "Open jobs cannot be written to Redis", written.error());
}

Task<void> Worker::look_after_queued() {
  if (commands_.is_ready()) {
    away_since_.reset();
    works("waiting");
    leave();
    co_return;
  }
  const auto now = steady_clock::now();
  if (!away_since_) away_since_ = now;
  if (now - *away_since_ < settings_.take_over_after) co_return;
  const auto taken_over = co_await take_over();
  if (taken_over && *taken_over) co_return works("waiting");
  const Error why = taken_over ? Error{ErrorCode::queue_unavailable,
                                       "a worker of another program was seen on this queue and may hold them"}
                               : taken_over.error();
  tell("waiting", "Redis is away and queued payments wait for it", why);
}

Task<Result<bool>> Worker::take_over() {
  const auto seen = co_await store_.has_seen_foreign_worker();
  if (!seen) co_return std::unexpected(seen.error());
  const bool before = std::exchange(taken_over_, !*seen);
  if (taken_over_ == before) co_return taken_over_;
  if (taken_over_) {
    log_.warning("Redis stays away: queued payments are taken from the store until it is back");
  }
  // Not sooner: a worker that is not ours and has just come is noted in that time.
  bench_.take_queued_after(taken_over_ ? std::optional(settings_.take_over_after) : std::nullopt);
  co_return taken_over_;
}

void Worker::leave() {
  if (!std::exchange(taken_over_, false)) return;
  bench_.take_queued_after(std::nullopt);
  log_.info("Redis is back and hands out what is queued");
}

Task<void> Worker::beat() {
  while (!signing_off_) {
    if (!stopping_) co_await look_after_queued();
    if (commands_.is_ready()) {
      const auto state = suspended_         ? WorkerState::suspended
                         : bench_.is_idle() ? WorkerState::idle
                                            : WorkerState::busy;
      auto heartbeat = rq::heartbeat(identity_.name, state, clock_.now());
      const auto replies = co_await commands_.pipeline(std::move(heartbeat), answer_by());
      const bool forgotten =
          replies && (*replies)[0].kind == redis::Reply::Kind::integer && (*replies)[0].integer == 0;
      if (forgotten) {
        auto birth = rq::birth(identity_, clock_.now());
        static_cast<void>(co_await commands_.pipeline(std::move(birth), answer_by()));
      }
    }
    co_await beat_stop_.wait_until(steady_clock::now() + beat_interval);
  }
}

Task<void> Worker::sign_off() {
  signing_off_ = true;
  to_write_.set();
  beat_stop_.set();
  co_await books_.join_until(steady_clock::time_point::max());
  auto death = rq::death(identity_.name, clock_.now());
  static_cast<void>(co_await commands_.pipeline(std::move(death), answer_by()));
  for (auto* client : {&commands_, &blocking_, &subscription_}) co_await client->stop();
}

}  // namespace switchyard::rq
