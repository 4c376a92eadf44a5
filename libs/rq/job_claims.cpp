#include "rq/job_claims.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/assert.hpp"
#include "base/task_group.hpp"
#include "rq/job_refusal.hpp"

namespace switchyard::rq {
namespace {

// New transactions whose commits wait together.
constexpr int commits_at_once = 128;

using Jobs = std::vector<payment::Transaction>;

// Where a row lies in the file: what goes to one page is then written one after another.
auto place(const payment::Transaction& transaction) {
  return std::tie(transaction.merchant_id.value, transaction.id.value.bytes);
}

ClaimedJob as_told(payment::Transaction job) {
  return {.step = {{std::move(job), {}}, payment::Action::none, 0}};
}

// One run of claim_jobs().
class Claiming {
 public:
  Claiming(Executor executor, store::Store& store, const Workbench& bench, Timestamp now,
           std::int64_t amount_max)
      : executor_(executor), store_(store), bench_(bench), now_(now), amount_max_(amount_max) {}

  Task<JobClaims> run(Jobs jobs) {
    std::ranges::sort(jobs, {}, place);
    const auto twins = take_twins(jobs);
    co_await claim_by_name(std::move(jobs));
    co_await refuse();
    auto fresh = std::exchange(unknown_, {});
    co_await store_new(std::move(fresh));
    // Somebody has stored them meanwhile, and perhaps claimed them.
    auto beaten = std::exchange(stale_, {});
    co_await claim_by_name(std::move(beaten));
    for (auto& job : std::exchange(unknown_, {})) {
      leave(std::move(job), {ErrorCode::store_unavailable, "a job's transaction comes and goes"});
    }
    add_twins(twins);
    co_return std::move(claims_);
  }

 private:
  // The second and any further one for a transaction, out of the sorted jobs.
  static Jobs take_twins(Jobs& jobs) {
    Jobs twins;
    Jobs single;
    for (auto& job : jobs) {
      const bool is_twin = !single.empty() && place(single.back()) == place(job);
      (is_twin ? twins : single).push_back(std::move(job));
    }
    jobs = std::move(single);
    return twins;
  }

  // As far as the first one is, and never ours.
  void add_twins(const Jobs& twins) {
    for (const auto& twin : twins) {
      const auto first = std::ranges::find_if(claims_.jobs, [&twin](const ClaimedJob& job) {
        return place(job.step.state.transaction) == place(twin);
      });
      if (first == claims_.jobs.end()) {
        claims_.left.push_back(twin);
        continue;
      }
      ClaimedJob job{.step = first->step, .is_ours = false, .refusal = first->refusal};
      claims_.jobs.push_back(std::move(job));
    }
  }

  Task<void> claim_by_name(Jobs jobs) {
    if (jobs.empty()) co_return;
    store::NamedWork named;
    for (const auto& job : jobs) named.all.push_back({.merchant = job.merchant_id, .id = job.id});
    store::Decide decide = [this](payment::State state) -> std::expected<store::Decided, payment::Refusal> {
      if (state.transaction.status != payment::Status::queued) {
        return store::Decided{.step = {std::move(state), payment::Action::none, 0}, .is_changed = false};
      }
      return store::Decided{.step = bench_.claim(std::move(state), now_)};
    };
    store::Work work = std::move(named);
    auto taken = co_await store_.take(std::move(work), std::move(decide));
    if (!taken) {
      for (auto& job : jobs) leave(std::move(job), taken.error());
      co_return;
    }
    SWITCHYARD_ASSERT(taken->size() == jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) sort(std::move(jobs[i]), (*taken)[i]);
  }

  void sort(payment::Transaction job, store::Taken& taken) {
    if (auto* decided = std::get_if<store::Decided>(&taken)) {
      claims_.jobs.push_back({.step = std::move(decided->step), .is_ours = decided->is_changed});
      return;
    }
    const auto* error = std::get_if<Error>(&taken);
    if (error == nullptr || error->code == ErrorCode::set_aside) {
      claims_.jobs.push_back(as_told(std::move(job)));
    } else if (error->code == ErrorCode::not_found) {
      unknown_.push_back(std::move(job));
    } else {
      leave(std::move(job), *error);
    }
  }

  // Those of the unknown ones that may not be stored.
  Task<void> refuse() {
    if (unknown_.empty()) co_return;
    std::vector<TransactionId> ids;
    std::vector<MerchantId> merchants;
    for (const auto& job : unknown_) {
      ids.push_back(job.id);
      merchants.push_back(job.merchant_id);
    }
    const auto [first, last] = std::ranges::unique(merchants);
    merchants.erase(first, last);
    const auto owners = co_await store_.find_owners(std::move(ids));
    if (!owners) co_return leave_unknown(owners.error());
    const auto users = co_await store_.find_users(std::move(merchants));
    if (!users) co_return leave_unknown(users.error());
    std::set<TransactionId> taken;
    for (const auto& [id, owner] : *owners) taken.insert(id);
    std::map<MerchantId, bool> enabled;
    for (const auto& user : *users) enabled.emplace(user.id, user.enabled);
    refuse(std::move(taken), enabled);
  }

  void refuse(std::set<TransactionId> taken, const std::map<MerchantId, bool>& enabled) {
    for (auto& job : std::exchange(unknown_, {})) {
      const auto user = enabled.find(job.merchant_id);
      const auto user_enabled = user == enabled.end() ? std::nullopt : std::optional(user->second);
      // Also where two of these jobs have one id.
      const bool id_is_anothers = taken.contains(job.id);
      auto refusal = refusal_of_job(id_is_anothers, user_enabled, job.amount, amount_max_);
      if (refusal.empty()) {
        taken.insert(job.id);
        unknown_.push_back(std::move(job));
        continue;
      }
      auto refused = as_told(std::move(job));
      refused.refusal = std::move(refusal);
      claims_.jobs.push_back(std::move(refused));
    }
  }

  Task<void> store_new(Jobs jobs) {
    if (jobs.empty()) co_return;
    TaskGroup group(executor_);
    std::size_t next = 0;
    for (int i = 0; i < commits_at_once; ++i) {
      group.spawn([this, &jobs, &next]() -> Task<void> {
        while (next < jobs.size()) {
          const auto number = next++;
          co_await store_one(std::move(jobs[number]));
        }
      });
    }
    co_await group.join_until(std::chrono::steady_clock::time_point::max());
  }

  // Written once, as it is after the claim.
  Task<void> store_one(payment::Transaction job) {
    auto step = bench_.claim({job, {}}, now_);
    store::Change change{.state = step.state, .is_new = true};
    const auto committed = co_await store_.commit(std::move(change));
    if (!committed) {
      leave(std::move(job), committed.error());
    } else if (std::holds_alternative<store::Done>(*committed)) {
      claims_.jobs.push_back({.step = std::move(step), .is_ours = true});
    } else {
      stale_.push_back(std::move(job));
    }
  }

  void leave(payment::Transaction job, const Error& why) {
    claims_.left.push_back(std::move(job));
    claims_.error = why;
  }
  void leave_unknown(const Error& why) {
    for (auto& job : std::exchange(unknown_, {})) leave(std::move(job), why);
  }

  Executor executor_;
  store::Store& store_;
  const Workbench& bench_;
  const Timestamp now_;
  const std::int64_t amount_max_;
  JobClaims claims_;
  Jobs unknown_;
  Jobs stale_;
};

}  // namespace

Task<JobClaims> claim_jobs(Executor executor, store::Store& store, const Workbench& bench,
                           std::vector<payment::Transaction> jobs, Timestamp now, std::int64_t amount_max) {
  Claiming claiming(executor, store, bench, now, amount_max);
  co_return co_await claiming.run(std::move(jobs));
}

}  // namespace switchyard::rq
