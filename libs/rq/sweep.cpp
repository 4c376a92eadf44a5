#include "rq/sweep.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "rq/books.hpp"
#include "rq/enqueuer.hpp"
#include "rq/names.hpp"
#include "rq/scripts.hpp"
#include "rq/zlib.hpp"

namespace switchyard::rq {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds turn_interval{1'000};
constexpr std::chrono::seconds tidying_interval{10};
constexpr std::chrono::seconds redis_patience{10};
constexpr std::size_t page_max = 1'000;
// A long list that is merely waiting is not looked at all the time; what Redis has lost is.
constexpr int pages_in_a_turn_max = 5;
constexpr std::size_t list_chunk = 10'000;
// Longer than one page takes; who dies while holding it is followed after that. Two at once would do no harm.
constexpr std::int64_t lock_ms = 5'000;
constexpr std::string_view lock_key = "switchyard:sweep";
// Holds the run of Redis that all queued transactions were compared with.
constexpr std::string_view marker_key = "switchyard:redis";
// The clocks of those that store transactions need not agree better than this.
constexpr milliseconds clock_slack{5'000};
constexpr std::size_t exc_info_bytes_max = 1024 * 1024;

std::string run_id_in(std::string_view info) {
  constexpr std::string_view name = "run_id:";
  const auto at = info.find(name);
  if (at == std::string_view::npos) return {};
  const auto value = info.substr(at + name.size());
  return std::string(value.substr(0, value.find_first_of("\r\n")));
}

std::string id_of(const payment::Transaction& transaction) {
  return transaction.id.value.to_string();
}

}  // namespace

Sweep::Sweep(const SweepSettings& settings, Executor executor, redis::Client& client, store::Store& store,
             telemetry::Metrics& metrics, Log& log, const Clock& clock)
    : settings_(settings),
      client_(client),
      store_(store),
      log_(log),
      clock_(clock),
      enqueued_(metrics.counter("switchyard_queue_jobs_enqueued_total", "Jobs put into Redis, by who did.",
                                {{"by", "sweep"}})),
      settled_(metrics.counter("switchyard_queue_foreign_outcomes_total",
                               "Transactions settled by what a worker of another program reported.")),
      jobs_(metrics.gauge("switchyard_queue_jobs", "Jobs that wait in Redis.")),
      oldest_job_age_(metrics.gauge("switchyard_queue_oldest_job_age_seconds",
                                    "How long the first job in Redis has been waiting.")),
      troubles_(metrics, {"keys", "sweep"}),
      owner_(random_hex(16)),
      janitor_(client, store, clock),
      foreign_failures_(client),
      stop_(executor) {}

redis::Deadline Sweep::deadline() const {
  return steady_clock::now() + redis_patience;
}

void Sweep::stop() {
  stopping_ = true;
  stop_.set();
}

Task<void> Sweep::run() {
  while (!stopping_) {
    co_await take_turn();
    if (!stopping_) co_await stop_.wait_until(steady_clock::now() + turn_interval);
  }
  // The next one need not wait for its end.
  redis::ScriptCall unlock(unlock_script(), {lock_key});
  unlock.argument(owner_);
  static_cast<void>(co_await unlock.run(client_, deadline()));
}

Task<bool> Sweep::take_turn() {
  // Its loss is told by the client.
  if (!client_.is_ready()) co_return false;
  const auto looked = co_await look();
  troubles_.set("keys", looked ? std::string() : looked.error().detail);
  const auto taken = co_await turn();
  troubles_.set("sweep", taken ? std::string() : fmt::format("the sweep fails: {}", taken.error().detail));
  if (!taken && failures_.allow()) {
    log_.warning(fmt::format("The sweep of the queue failed and goes on: {}", taken.error().detail));
  }
  log_.flush();
  co_return taken && *taken;
}

Task<Result<void>> Sweep::look() {
  const auto call = look_at_queue();
  const auto reply = co_await call.run(client_, deadline());
  if (!reply) co_return std::unexpected(reply.error());
  const auto look = read_look(*reply);
  const auto waiting = look.first_enqueued_at ? clock_.now() - *look.first_enqueued_at : milliseconds(0);
  jobs_.Set(static_cast<double>(look.jobs));
  oldest_job_age_.Set(std::chrono::duration<double>(std::max(waiting, milliseconds(0))).count());
  const auto noted = co_await note(look);
  if (!noted) co_return noted;
  if (!look.wrong_key.empty()) co_return fail(ErrorCode::queue_unavailable, look.wrong_key);
  co_return Result<void>();
}

Task<Result<void>> Sweep::look_before_use(redis::Connection& connection) {
  const auto call = look_at_queue();
  const auto reply = co_await call.run(connection, deadline());
  if (!reply) co_return std::unexpected(reply.error());
  const auto look = read_look(*reply);
  co_return co_await note(look);
}

Task<Result<void>> Sweep::note(const QueueLook& look) {
  if (!look.has_foreign_worker || noted_foreign_worker_) co_return Result<void>();
  const auto noted = co_await store_.note_foreign_worker(clock_.now());
  if (!noted) co_return noted;
  noted_foreign_worker_ = true;
  log_.info(
      "A worker of another program listens on the queue; while Redis is away, queued payments wait for it");
  co_return Result<void>();
}

Task<Result<bool>> Sweep::turn() {
  const auto locked = co_await hold_lock();
  if (!locked || !*locked) co_return locked;
  const auto fresh = co_await is_new_redis();
  if (!fresh) co_return fresh;
  if (*fresh) compare_all_pending_ = true;
  const auto now = clock_.now();
  if (compare_all_pending_) {
    const auto compared = co_await compare_all(now);
    if (!compared) co_return std::unexpected(compared.error());
    compare_all_pending_ = false;
  }
  const auto compared = co_await compare_due(now);
  if (!compared) co_return std::unexpected(compared.error());
  const auto tidied = co_await tidy_up();
  if (!tidied) co_return std::unexpected(tidied.error());
  co_return true;
}

Task<Result<void>> Sweep::tidy_up() {
  if (steady_clock::now() < next_tidying_) co_return Result<void>();
  next_tidying_ = steady_clock::now() + tidying_interval;
  const auto jobs = co_await janitor_.look();
  if (!jobs) co_return std::unexpected(jobs.error());
  if (*jobs > 0) log_.info(fmt::format("{} jobs that were left in the middle are in order again", *jobs));
  co_return co_await settle_requeued();
}

Task<Result<bool>> Sweep::hold_lock() {
  redis::ScriptCall call(lock_script(), {lock_key});
  call.argument(owner_).argument(lock_ms);
  const auto reply = co_await call.run(client_, deadline());
  if (!reply) co_return std::unexpected(reply.error());
  co_return reply->integer == 1;
}

// The marker is set before anything is compared: whoever empties Redis from here on is seen by the next turn.
Task<Result<bool>> Sweep::is_new_redis() {
  redis::Commands ask;
  ask.add({"GET", marker_key}).add({"INFO", "server"});
  const auto replies = co_await client_.pipeline(std::move(ask), deadline());
  if (!replies) co_return std::unexpected(replies.error());
  if (const auto checked = redis::require_no_error(replies->front()); !checked)
    co_return std::unexpected(checked.error());
  // Where INFO is not allowed, an emptied Redis is seen, and one that was merely started anew is not.
  const auto run_id = (*replies)[1].is_error() ? std::string("unknown") : run_id_in((*replies)[1].text);
  if ((*replies)[0].is(run_id)) co_return false;
  redis::Commands mark{"SET", marker_key, run_id};
  const auto marked = co_await client_.command(std::move(mark), deadline());
  if (!marked) co_return std::unexpected(marked.error());
  if (const auto checked = redis::require_no_error(*marked); !checked)
    co_return std::unexpected(checked.error());
  co_return true;
}

Task<Result<void>> Sweep::compare_all(Timestamp now) {
  // Nothing that is stored already is due later; what is leased here is due behind it, so it comes once.
  const auto due_by = now + clock_slack;
  const auto until = due_by + milliseconds(1);
  Snapshot snapshot;
  std::size_t compared = 0;
  std::size_t lost = 0;
  while (!stopping_) {
    auto page = co_await lease_queued(due_by, until);
    if (!page) co_return std::unexpected(page.error());
    const auto size = page->size();
    const auto result = co_await compare(std::move(*page), snapshot);
    if (!result) co_return std::unexpected(result.error());
    compared += size;
    lost += *result;
    if (size < page_max) break;
    const auto locked = co_await hold_lock();
    if (!locked) co_return std::unexpected(locked.error());
  }
  if (lost > 0) {
    log_.info(fmt::format("Redis is new or was emptied: {} of {} queued transactions enqueued again", lost,
                          compared));
  }
  co_return Result<void>();
}

Task<Result<void>> Sweep::compare_due(Timestamp now) {
  Snapshot snapshot;
  for (int pages = 0; !stopping_;) {
    auto page = co_await lease_queued(now - settings_.delay, now);
    if (!page) co_return std::unexpected(page.error());
    const auto size = page->size();
    const auto lost = co_await compare(std::move(*page), snapshot);
    if (!lost) co_return std::unexpected(lost.error());
    if (size < page_max) break;
    if (*lost < page_max / 10 && ++pages == pages_in_a_turn_max) break;
    const auto locked = co_await hold_lock();
    if (!locked) co_return std::unexpected(locked.error());
  }
  co_return Result<void>();
}

Task<Result<Sweep::Page>> Sweep::lease_queued(Timestamp due_by, Timestamp until) {
  store::Work queued = store::DueWork{
      .by = due_by,
      .ahead = until + store::clock_skew_max,
      .limit = page_max,
      .which = store::DueWork::Which::queued,
  };
  store::Decide decide = [until](payment::State state) -> std::expected<store::Decided, payment::Refusal> {
    state.transaction.next_action_at = until;
    return store::Decided{.step = {std::move(state), payment::Action::none, 0}};
  };
  auto leased = co_await store_.take(std::move(queued), std::move(decide));
  if (!leased) co_return std::unexpected(leased.error());
  Page page;
  page.reserve(leased->size());
  for (auto& taken : *leased) {
    if (auto* decided = std::get_if<store::Decided>(&taken)) {
      page.push_back(std::move(decided->step.state.transaction));
    }
  }
  co_return page;
}

Task<Result<std::size_t>> Sweep::compare(Page page, Snapshot& snapshot) {
  if (page.empty()) co_return 0;
  auto planned = co_await plan(std::move(page), snapshot);
  if (!planned) co_return std::unexpected(planned.error());
  // First what has happened, then what should.
  const auto settled = co_await settle(*planned);
  if (!settled) co_return std::unexpected(settled.error());
  auto anew = co_await still_queued(std::move(planned->start_anew));
  if (!anew) co_return std::unexpected(anew.error());
  const auto forgotten = co_await forget(*anew);
  if (!forgotten) co_return std::unexpected(forgotten.error());
  auto lost = std::move(planned->enqueue);
  lost.insert(lost.end(), anew->begin(), anew->end());
  const auto enqueued = co_await enqueue_lost(std::move(lost));
  if (!enqueued) co_return enqueued;
  const auto pushed =
      co_await push_missing(std::move(planned->look_for), std::move(planned->look_for_again), snapshot);
  if (!pushed) co_return std::unexpected(pushed.error());
  co_return enqueued;
}

Task<Result<Sweep::Plan>> Sweep::plan(Page page, Snapshot& snapshot) {
  redis::ScriptCall inspect(inspect_script(), {});
  for (const auto& transaction : page) inspect.argument(id_of(transaction));
  const auto reply = co_await inspect.run(client_, deadline());
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->elements.size() != page.size()) {
    co_return fail(ErrorCode::queue_unavailable, "Redis tells of other jobs than it was asked for");
  }

  std::vector<JobState> jobs;
  for (const auto& element : reply->elements) jobs.push_back(read_job_state(element));
  const bool any_started = std::ranges::any_of(jobs, [](const auto& job) { return job.status == "started"; });
  if (any_started && !snapshot.started) {
    const auto read = co_await read_started(snapshot);
    if (!read) co_return std::unexpected(read.error());
  }

  Plan plan;
  const auto now = clock_.now();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    std::optional<Timestamp> until;
    if (snapshot.started) {
      const auto found = snapshot.started->find(id_of(page[i]));
      if (found != snapshot.started->end()) until = found->second;
    }
    switch (judge(jobs[i], until, now)) {
      case Verdict::leave:
        break;
      case Verdict::enqueue:
        plan.enqueue.push_back(std::move(page[i]));
        break;
      case Verdict::look_for:
        (jobs[i].missed ? plan.look_for_again : plan.look_for).push_back(std::move(page[i]));
        break;
      case Verdict::start_anew:
        plan.start_anew.push_back(std::move(page[i]));
        break;
      case Verdict::captured:
        plan.captured.push_back(std::move(page[i]));
        break;
      case Verdict::failed:
        plan.failed.push_back(std::move(page[i]));
        break;
      case Verdict::out_of_hand:
        plan.out_of_hand.push_back(std::move(page[i]));
        break;
    }
  }
  co_return plan;
}

Task<Result<void>> Sweep::settle(Plan& plan) {
  for (const auto& transaction : plan.captured) {
    const payment::Elsewhere charged = payment::ChargedElsewhere{};
    const auto settled = co_await settle_one(transaction.merchant_id, transaction.id, charged);
    if (!settled) co_return settled;
  }
  for (const auto& transaction : plan.failed) {
    const auto settled = co_await settle_failed(transaction);
    if (!settled) co_return settled;
  }
  for (const auto& transaction : plan.out_of_hand) {
    const payment::Elsewhere unknown =
        payment::UnknownElsewhere{"another worker began it and did not end it"};
    const auto settled = co_await settle_one(transaction.merchant_id, transaction.id, unknown);
    if (!settled) co_return settled;
  }
  co_return Result<void>();
}

Task<Result<void>> Sweep::settle_failed(const payment::Transaction& transaction) {
  const auto exc_info = co_await read_exc_info(id_of(transaction));
  if (!exc_info) co_return std::unexpected(exc_info.error());
  const auto reason = last_line(*exc_info);
  payment::Elsewhere outcome = payment::FailedElsewhere{reason};
  if (tells_of_a_killed_worker(*exc_info)) outcome = payment::UnknownElsewhere{reason};
  if (std::holds_alternative<payment::FailedElsewhere>(outcome)) {
    const ForeignFailures::Job job{transaction.merchant_id, transaction.id};
    const auto noted = co_await foreign_failures_.note(job, deadline());
    if (!noted) co_return noted;
  }
  co_return co_await settle_one(transaction.merchant_id, transaction.id, std::move(outcome));
}

Task<Result<void>> Sweep::settle_requeued() {
  const auto finished = co_await foreign_failures_.finished(deadline());
  if (!finished) co_return std::unexpected(finished.error());
  for (const auto& job : *finished) {
    const payment::Elsewhere charged = payment::ChargedElsewhere{};
    const auto settled = co_await settle_one(job.merchant, job.id, charged);
    if (!settled) co_return settled;
  }
  co_return co_await foreign_failures_.forget(*finished, deadline());
}

Task<Result<void>> Sweep::settle_one(MerchantId merchant, TransactionId id, payment::Elsewhere outcome) {
  store::Work one = store::NamedWork{{{.merchant = merchant, .id = id}}};
  store::Decide decide = [outcome = std::move(outcome), now = clock_.now()](
                             payment::State state) -> std::expected<store::Decided, payment::Refusal> {
    // Otherwise that worker has no say any more.
    const bool may = payment::may_settle(state, foreign_worker, outcome);
    if (may) state = payment::settle(std::move(state), foreign_worker, outcome, now);
    return store::Decided{.step = {std::move(state), payment::Action::none, 0}, .is_changed = may};
  };
  const auto taken = co_await store_.take(std::move(one), std::move(decide));
  if (!taken) co_return std::unexpected(taken.error());
  const auto* decided = std::get_if<store::Decided>(&taken->front());
  if (decided != nullptr && decided->is_changed) {
    settled_.Increment();
    log_.info("A worker of another program ended a job", {{"transaction_id", id.value.to_string()}});
  }
  const auto* error = std::get_if<Error>(&taken->front());
  // It is not there, or was set aside meanwhile, and stops nobody.
  const bool stops =
      error != nullptr && error->code != ErrorCode::not_found && error->code != ErrorCode::set_aside;
  if (stops) co_return std::unexpected(*error);
  co_return Result<void>();
}

// In the hash up to RQ 1.11 and without streams, else in the newest result.
Task<Result<std::string>> Sweep::read_exc_info(const std::string& id) {
  redis::Commands ask;
  ask.add({"HGET", job_key(id), "exc_info"}).add({"XREVRANGE", "rq:results:" + id, "+", "-", "COUNT", "1"});
  const auto replies = co_await client_.pipeline(std::move(ask), deadline());
  if (!replies) co_return std::unexpected(replies.error());
  std::string wrapped = (*replies)[0].text;
  if (const auto& results = (*replies)[1]; wrapped.empty() && !results.elements.empty()) {
    const auto& entry = results.elements[0];
    const auto& fields =
        entry.elements.size() == 2 ? entry.elements[1].elements : std::vector<redis::Reply>();
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      if (fields[i].text == "exc_string") wrapped = from_base64(fields[i + 1].text);
    }
  }
  co_return inflate(wrapped, exc_info_bytes_max).value_or("");
}

Task<Result<std::size_t>> Sweep::enqueue_lost(Page lost) {
  const auto added = co_await rq::enqueue(client_, std::move(lost), clock_.now(), deadline());
  if (!added) co_return std::unexpected(added.error());
  enqueued_.Increment(static_cast<double>(*added));
  co_return static_cast<std::size_t>(*added);
}

Task<Result<Sweep::Page>> Sweep::still_queued(Page page) {
  Page queued;
  for (auto& transaction : page) {
    const auto found = co_await store_.find_transaction(transaction.merchant_id, transaction.id);
    if (!found && found.error().code == ErrorCode::set_aside) continue;
    if (!found) co_return std::unexpected(found.error());
    if (found->transaction.status == payment::Status::queued) queued.push_back(std::move(transaction));
  }
  co_return queued;
}

Task<Result<void>> Sweep::forget(const Page& page) {
  redis::Commands commands;
  for (const auto& transaction : page) {
    const auto id = id_of(transaction);
    commands.add({"DEL", job_key(id), "rq:results:" + id})
        .add({"ZREM", started_key, id})
        .add({"ZREM", finished_key, id})
        .add({"ZREM", failed_key, id});
  }
  const auto replies = co_await client_.pipeline(std::move(commands), deadline());
  if (!replies) co_return std::unexpected(replies.error());
  co_return redis::require_no_error(*replies);
}

// A worker of RQ before 1.15 has a job for a moment in no list: only who is missing twice is pushed again.
Task<Result<void>> Sweep::push_missing(Page look_for, Page missed_before, Snapshot& snapshot) {
  if (look_for.empty() && missed_before.empty()) co_return Result<void>();
  if (!snapshot.listed) {
    const auto read = co_await read_listed(snapshot);
    if (!read) co_return read;
  }
  redis::Commands notes;
  for (const auto& transaction : look_for) {
    const auto id = id_of(transaction);
    if (!snapshot.listed->contains(id)) notes.add({"HSET", job_key(id), "switchyard_missed", "1"});
  }
  redis::ScriptCall push(push_script(), {queue_key});
  std::size_t missing = 0;
  for (const auto& transaction : missed_before) {
    const auto id = id_of(transaction);
    if (snapshot.listed->contains(id)) {
      notes.add({"HDEL", job_key(id), "switchyard_missed"});
    } else {
      push.argument(id);
      ++missing;
    }
  }
  const auto noted = co_await client_.pipeline(std::move(notes), deadline());
  if (!noted) co_return std::unexpected(noted.error());
  if (missing == 0) co_return Result<void>();
  const auto pushed = co_await push.run(client_, deadline());
  if (!pushed) co_return std::unexpected(pushed.error());
  enqueued_.Increment(static_cast<double>(pushed->integer));
  log_.info(fmt::format("{} jobs were in no list of Redis and are queued again", pushed->integer));
  co_return Result<void>();
}

// From the end, by positions from the end: what workers take meanwhile at the front moves none of them.
Task<Result<void>> Sweep::read_listed(Snapshot& snapshot) {
  std::unordered_set<std::string> listed;
  for (const auto list : {queue_key, intermediate_key}) {
    for (std::size_t seen = 0;; seen += list_chunk) {
      redis::Commands range{"LRANGE", list, fmt::format("-{}", seen + list_chunk),
                            fmt::format("-{}", seen + 1)};
      auto reply = co_await client_.command(std::move(range), deadline());
      if (!reply) co_return std::unexpected(reply.error());
      if (const auto checked = redis::require_no_error(*reply); !checked) co_return checked;
      const auto size = reply->elements.size();
      for (auto& element : reply->elements) listed.insert(std::move(element.text));
      if (size < list_chunk) break;
    }
  }
  snapshot.listed = std::move(listed);
  co_return Result<void>();
}

// Members are ids of jobs, from RQ 2 on "<job>:<execution>".
Task<Result<void>> Sweep::read_started(Snapshot& snapshot) {
  redis::Commands range{"ZRANGE", started_key, "0", "-1", "WITHSCORES"};
  const auto reply = co_await client_.command(std::move(range), deadline());
  if (!reply) co_return std::unexpected(reply.error());
  if (const auto checked = redis::require_no_error(*reply); !checked) co_return checked;
  std::unordered_map<std::string, Timestamp> started;
  for (std::size_t i = 0; i + 1 < reply->elements.size(); i += 2) {
    const auto& member = reply->elements[i].text;
    const auto& score = reply->elements[i + 1].text;
    double until_s = 0;
    std::from_chars(score.data(), score.data() + score.size(), until_s);
    // Such as "inf".
    constexpr double farthest_s = 1e11;
    const auto until =
        Timestamp(milliseconds(static_cast<std::int64_t>(std::clamp(until_s, 0.0, farthest_s) * 1'000)));
    auto& known = started[member.substr(0, member.find(':'))];
    known = std::max(known, until);
  }
  snapshot.started = std::move(started);
  co_return Result<void>();
}

}  // namespace switchyard::rq
